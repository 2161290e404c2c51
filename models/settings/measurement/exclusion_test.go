package measurement_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/measurement"
)

func TestParseExclusion(t *testing.T) {
	valuetest.Texts(t, measurement.ParseExclusion, []valuetest.Text{
		{Name: "setting", In: "network.hostname"},
		{Name: "group", In: "settings.kernel"},
		{Name: "white space around", In: " settings.motd\n"},
		{Name: "no such setting", In: "nosuch"},
		{Name: "other group of similar name", In: "measurements"},
		{Name: "quoted part", In: `kubernetes.node-labels."example.org/zone"`},
		{Name: "empty", In: "", Want: `excluded setting "" is empty`},
		{Name: "white space", In: "  ", Want: `excluded setting "  " is empty`},
		{Name: "prefix only", In: "settings.", Want: `excluded setting "settings." is empty`},
		{Name: "everything", In: "settings", Want: `excluded setting "settings" stands for all settings`},
		{Name: "everything behind the prefix", In: "settings.settings", Want: `excluded setting "settings.settings" stands for all settings`},
		{Name: "measurement", In: "measurement", Want: `excluded setting "measurement" belongs to the measurement, which could then be changed unseen`},
		{Name: "part of measurement", In: "settings.measurement.excluded-settings", Want: `excluded setting "settings.measurement.excluded-settings" belongs to the measurement, which could then be changed unseen`},
		{Name: "wildcard", In: "kernel.*", Want: `excluded setting "kernel.*" holds a *; an entry stands for all below it as it is`},
		{Name: "line feed inside", In: "kernel\n.sysctl", Want: `excluded setting "kernel\n.sysctl" holds a control character`},
	})
}

func TestExclusionName(t *testing.T) {
	for in, want := range map[string]string{"motd": "motd", " settings.motd\t": "motd", "settings.settings.x": "settings.x"} {
		if got := valuetest.Parse[measurement.Exclusion](t, in).Name(); got != want {
			t.Errorf("Name of %q = %q, want %q", in, got, want)
		}
	}
}

func FuzzExclusion(f *testing.F) {
	for _, s := range []string{"motd", "settings.", "measurement.x", "a*", " settings.settings "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := measurement.ParseExclusion(s); err == nil {
			valuetest.PrintsAs(t, v, s)
			if n := v.Name(); n == "" || n == "settings" || n == "measurement" {
				t.Errorf("Name of %q = %q", s, n)
			}
		}
	})
}
