package ecs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/ecs"
)

func TestParseAttributeKey(t *testing.T) {
	valuetest.Texts(t, ecs.ParseAttributeKey, []valuetest.Text{
		{Name: "all characters", In: "Az09._/-"},
		{Name: "longest", In: strings.Repeat("k", 128)},
		{Name: "empty", In: "", Want: `attribute name "" is empty`},
		{Name: "too long", In: strings.Repeat("k", 129), Want: `attribute name "` + strings.Repeat("k", 80) + `…" has 129 bytes, more than 128`},
		{Name: "space", In: "a b", Want: `attribute name "a b" holds " "`},
		{Name: "colon", In: "a:b", Want: `attribute name "a:b" holds ":"`},
		{Name: "newline at the end", In: "a\n", Want: `attribute name "a\n" holds "\n"`},
	})
}

func TestParseAttributeValue(t *testing.T) {
	valuetest.Texts(t, ecs.ParseAttributeValue, []valuetest.Text{
		{Name: "all characters", In: `Az09.@: _/\-`},
		{Name: "longest", In: strings.Repeat("v", 128)},
		{Name: "empty", In: "", Want: `attribute value "" is empty`},
		{Name: "too long", In: strings.Repeat("v", 129), Want: `attribute value "` + strings.Repeat("v", 80) + `…" has 129 bytes, more than 128`},
		{Name: "leading space", In: " a", Want: `attribute value " a" starts or ends with a space`},
		{Name: "trailing space", In: "a ", Want: `attribute value "a " starts or ends with a space`},
		{Name: "space alone", In: " ", Want: `attribute value " " starts or ends with a space`},
		{Name: "quote", In: `a"b`, Want: `attribute value "a\"b" holds "\""`},
		{Name: "other script", In: "ü", Want: `attribute value "ü" holds "ü"`},
		{Name: "not UTF-8", In: "\xff", Want: `attribute value "\xff" holds "\xff"`},
	})
}

func TestParseDuration(t *testing.T) {
	valuetest.Texts(t, ecs.ParseDuration, []valuetest.Text{
		{Name: "all units", In: "1h2m3s4ms5us6ns"},
		{Name: "micro sign", In: "5µs"},
		{Name: "Greek letter", In: "5μs", Want: `duration "5μs": unknown unit "μs"`},
		{Name: "wrong order", In: "1ns2us", Want: `duration "1ns2us": unit "us" stands after "ns"`},
		{Name: "empty", In: "", Want: `duration "" is empty`},
		{Name: "number alone", In: "30", Want: `duration "30": "30" has no unit`},
	})
	if got, want := valuetest.Parse[ecs.Duration](t, "1m5µs6ns").Value(), time.Minute+5006*time.Nanosecond; got != want {
		t.Errorf("Duration(1m5µs6ns).Value() = %v, want %v", got, want)
	}
}

func TestEnums(t *testing.T) {
	for _, tt := range []struct {
		words []string
		want  string
	}{
		{ecs.LogLevel("").Rule().Enum, "debug info warn error crit"},
		{ecs.ImagePullBehavior("").Rule().Enum, "default always once prefer-cached"},
	} {
		if diff := cmp.Diff(tt.want, strings.Join(tt.words, " ")); diff != "" {
			t.Errorf("words (-want +got):\n%s", diff)
		}
	}
}

func TestCheck(t *testing.T) {
	duration := func(s string) *ecs.Duration { return valuetest.Parse[ecs.Duration](t, s) }
	tests := []struct {
		name     string
		settings ecs.Settings
		want     []string
	}{
		{name: "nothing set"},
		{
			name: "what the agent takes",
			settings: ecs.Settings{
				ContainerStopTimeout: duration("1s"), TaskCleanupWait: duration("3h"), ImageCleanupWait: duration("10m"),
				MetadataServiceRPS: new(int64(1)), ImageCleanupAge: duration("30s"), ImageCleanupEnabled: new(true),
			},
		},
		{
			name: "too little",
			settings: ecs.Settings{
				ContainerStopTimeout: duration("500ms"), TaskCleanupWait: duration("0s"), ImageCleanupWait: duration("9m59s"),
				MetadataServiceRPS: new(int64(0)), MetadataServiceBurst: new(int64(-1)),
			},
			want: []string{
				`warning: settings.ecs.container-stop-timeout: container-stop-timeout is 500ms, less than the agent takes: it uses its own value (want at least 1s)`,
				`warning: settings.ecs.task-cleanup-wait: task-cleanup-wait is 0s, less than the agent takes: it uses its own value (want at least 1s)`,
				`warning: settings.ecs.image-cleanup-wait: image-cleanup-wait is 9m59s, less than the agent takes: it uses its own value (want at least 10m)`,
				`warning: settings.ecs.metadata-service-rps: metadata-service-rps is 0: the agent uses its own value (want 1 or more)`,
				`warning: settings.ecs.metadata-service-burst: metadata-service-burst is -1: the agent uses its own value (want 1 or more)`,
			},
		},
		{
			name: "cleanup switched off",
			settings: ecs.Settings{
				ImageCleanupEnabled: new(false), ImageCleanupWait: duration("1h"), ImageCleanupAge: duration("1h"),
				ImageCleanupDeletePerCycle: new(int64(3)),
			},
			want: []string{
				`warning: settings.ecs.image-cleanup-wait: image-cleanup-wait is set and image-cleanup-enabled is false: ` +
					`it has no effect (set image-cleanup-enabled to true, or leave it out)`,
				`warning: settings.ecs.image-cleanup-age: image-cleanup-age is set and image-cleanup-enabled is false: ` +
					`it has no effect (set image-cleanup-enabled to true, or leave it out)`,
				`warning: settings.ecs.image-cleanup-delete-per-cycle: image-cleanup-delete-per-cycle is set and image-cleanup-enabled is false: ` +
					`it has no effect (set image-cleanup-enabled to true, or leave it out)`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.settings.Check, "ecs")); diff != "" {
				t.Errorf("Check: faults (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever is accepted comes back unchanged, matches its rule, and ends no line.
func FuzzTypes(f *testing.F) {
	for _, s := range []string{"stack", " a", `a\b`, "1h2us", "a\n", "ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		accepted(t, s, ecs.ParseAttributeKey)
		accepted(t, s, ecs.ParseAttributeValue)
		accepted(t, s, ecs.ParseDuration)
	})
}

func accepted[T valuetest.Value](t *testing.T, s string, parse func(string) (T, error)) {
	t.Helper()
	v, err := parse(s)
	if err != nil {
		return
	}
	valuetest.PrintsAs(t, v, s)
	if i := strings.IndexAny(s, "\r\n\"'`$"); i >= 0 {
		t.Errorf("%T accepted %q, which holds %q", v, s, s[i])
	}
}
