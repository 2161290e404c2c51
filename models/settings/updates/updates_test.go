package updates_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/updates"
)

type check struct {
	name string
	in   updates.Settings
	want []string
}

func checks(t *testing.T) []check {
	lock := valuetest.Parse[scalar.Version](t, "v1.20.3")
	slow, err := scalar.NewByteSize(10)
	if err != nil {
		t.Fatal(err)
	}
	return []check{
		{
			name: "nothing to update from", in: updates.Settings{Auto: new(true)},
			want: []string{`warning: settings.updates.auto: auto is true and no update repository is set, so there is nothing to update from (set metadata-base-url and targets-base-url)`},
		},
		{name: "lock in the line", in: updates.Settings{VersionLock: lock, Pin: valuetest.Parse[updates.Line](t, "1.20")}},
		{
			name: "lock out of the line", in: updates.Settings{VersionLock: lock, Pin: valuetest.Parse[updates.Line](t, "1.19")},
			want: []string{`warning: settings.updates.pin: version-lock asks for 1.20.3, and pin keeps to 1.19; version-lock counts (set one of them)`},
		},
		{
			name: "denied versions", in: updates.Settings{VersionLock: lock, Deny: &[]scalar.Version{*lock, *valuetest.Parse[scalar.Version](t, "latest")}},
			want: []string{
				`warning: settings.updates.deny: version-lock asks for 1.20.3, and deny passes over it; version-lock counts (take the version out of one of them)`,
				`settings.updates.deny: deny names "latest", which is no version to pass over (want versions such as 1.20.3; to stay with the running one, set version-lock to it)`,
			},
		},
		{
			name: "long jitter", in: updates.Settings{Jitter: valuetest.Parse[updates.Duration](t, "25h")},
			want: []string{`settings.updates.jitter: jitter is 25h, which is longer than a day (want 24h or less)`},
		},
		{
			name: "slow", in: updates.Settings{RateLimit: &slow},
			want: []string{`settings.updates.rate-limit: at 10 bytes in a second no update ever ends (want 1024 or more, or leave it unset)`},
		},
		{
			name: "no day", in: updates.Settings{Window: window(t, " ", "", "", "")},
			want: []string{`settings.updates.window.days: days names no day, so the window never opens (name at least one day, or leave days unset for every day; to keep the host from updating, unset auto)`},
		},
		{
			name: "no time", in: updates.Settings{Window: window(t, "mon", "03:00", "03:00", "")},
			want: []string{`settings.updates.window.end: the window ends when it starts, at 03:00 (leave start and end unset for the whole day)`},
		},
		{name: "the whole day", in: updates.Settings{Window: window(t, "mon", "00:00", "24:00", "")}},
	}
}

func TestCheck(t *testing.T) {
	url := valuetest.Parse[scalar.URL](t, "https://updates.example.org/")
	tests := []check{
		{name: "nothing"},
		{name: "both addresses", in: updates.Settings{MetadataBaseURL: url, TargetsBaseURL: url}},
		{
			name: "metadata only", in: updates.Settings{MetadataBaseURL: url},
			want: []string{`warning: settings.updates.targets-base-url: metadata-base-url is https://updates.example.org/ and targets-base-url is not set, so updates are found and cannot be fetched (set both addresses, or neither)`},
		},
		{
			name: "targets only", in: updates.Settings{TargetsBaseURL: url},
			want: []string{`warning: settings.updates.metadata-base-url: targets-base-url is https://updates.example.org/ and metadata-base-url is not set, so no update is ever found (set both addresses, or neither)`},
		},
	}

	tests = append(tests, checks(t)...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "updates")); diff != "" {
				t.Errorf("faults of updates (-want +got):\n%s", diff)
			}
		})
	}
}
