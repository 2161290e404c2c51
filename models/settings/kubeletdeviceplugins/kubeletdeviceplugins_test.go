package kubeletdeviceplugins_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	kdp "github.com/bulkhead-os/bulkhead/models/settings/kubeletdeviceplugins"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

func TestParseGPUModel(t *testing.T) {
	valuetest.Texts(t, kdp.ParseGPUModel, []valuetest.Text{
		{Name: "model", In: "a100.40gb"},
		{Name: "several letters", In: "gh200.96gb"},
		{Name: "no dot", In: "a100x40gb", Want: `GPU model "a100x40gb" is not a model, a dot and a size in gb`},
		{Name: "upper case", In: "A100.40gb", Want: `GPU model "A100.40gb" is not a model, a dot and a size in gb`},
		{Name: "no unit", In: "a100.40", Want: `GPU model "a100.40" is not a model, a dot and a size in gb`},
		{Name: "empty", In: "", Want: `GPU model "" is not a model, a dot and a size in gb`},
		{Name: "newline at the end", In: "a100.40gb\n", Want: `GPU model "a100.40gb\n" is not a model, a dot and a size in gb`},
	})
}

func TestParseMIGProfile(t *testing.T) {
	valuetest.Texts(t, kdp.ParseMIGProfile, []valuetest.Text{
		{Name: "parts", In: "4"},
		{Name: "profile", In: "1g.5gb"},
		{Name: "impossible parts", In: "5", Want: `MIG profile "5" is neither a possible number of parts nor a profile`},
		{Name: "no dot", In: "1gx5gb", Want: `MIG profile "1gx5gb" is neither a possible number of parts nor a profile`},
		{Name: "two digits", In: "10g.5gb", Want: `MIG profile "10g.5gb" is neither a possible number of parts nor a profile`},
		{Name: "empty", In: "", Want: `MIG profile "" is neither a possible number of parts nor a profile`},
	})
	if n, ok := valuetest.Parse[kdp.MIGProfile](t, "7").Parts(); n != 7 || !ok {
		t.Errorf("MIGProfile(7).Parts() = %d, %v, want 7, true", n, ok)
	}
	if n, ok := valuetest.Parse[kdp.MIGProfile](t, "1g.5gb").Parts(); ok {
		t.Errorf("MIGProfile(1g.5gb).Parts() = %d, true, want false", n)
	}
}

func TestUnmarshalSetting(t *testing.T) {
	list := func() valuetest.Setting { return new(kdp.DeviceListStrategy) }
	slices := func() valuetest.Setting { return new(kdp.SliceReplicas) }
	mps := func() valuetest.Setting { return new(kdp.MPSReplicas) }
	tests := []struct {
		name string
		into func() valuetest.Setting
		in   *syntax.Node
		want string // the JSON, or the error
	}{
		{name: "word", into: list, in: syntax.NewString("cdi-cri"), want: `"cdi-cri"`},
		{name: "list", into: list, in: valuetest.Strings("envvar", "cdi-cri"), want: `["envvar","cdi-cri"]`},
		{name: "list of one", into: list, in: valuetest.Strings("envvar"), want: `["envvar"]`},
		{name: "empty list", into: list, in: valuetest.Strings(), want: `[]`},
		{name: "unknown word", into: list, in: syntax.NewString("cdi"), want: `device list strategy "cdi" is unknown`},
		{name: "unknown word in a list", into: list, in: valuetest.Strings("envvar", ""), want: `device list strategy "" is unknown`},
		{name: "number in a list", into: list, in: syntax.NewArray(valuetest.Integer("1")), want: `device list strategy 1 is unknown`},
		{name: "number", into: list, in: valuetest.Integer("1"), want: `device list strategy 1 is neither a word nor a list of words`},

		{name: "slices, least", into: slices, in: valuetest.Integer("2"), want: `2`},
		{name: "slices, most", into: slices, in: valuetest.Integer("2147483647"), want: `2147483647`},
		{name: "slices, below", into: slices, in: valuetest.Integer("1"), want: `number of replicas 1 is less than 2`},
		{name: "slices, above", into: slices, in: valuetest.Integer("2147483648"), want: `number of replicas 2147483648 is more than 2147483647`},
		{name: "slices, string", into: slices, in: syntax.NewString("2"), want: `number of replicas "2" is not an integer`},
		{name: "mps, most", into: mps, in: valuetest.Integer("48"), want: `48`},
		{name: "mps, above", into: mps, in: valuetest.Integer("49"), want: `number of replicas 49 is more than 48`},
		{name: "mps, below", into: mps, in: valuetest.Integer("1"), want: `number of replicas 1 is less than 2`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.into()
			err := v.UnmarshalSetting(tt.in)
			got := valuetest.ErrorText(err)
			if err == nil {
				text, err := json.Marshal(v)
				if err != nil {
					t.Fatalf("json.Marshal(%T of %s): %v", v, tt.in.Describe(), err)
				}
				got = string(text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("UnmarshalSetting(%s) into %T (-want +got):\n%s", tt.in.Describe(), v, diff)
			}
		})
	}
}

func TestEnums(t *testing.T) {
	for _, tt := range []struct {
		words []string
		want  string
	}{
		{kdp.DeviceIDStrategy("").Rule().Enum, "uuid index"},
		{kdp.DeviceSharingStrategy("").Rule().Enum, "none time-slicing mps"},
		{kdp.DevicePartitioningStrategy("").Rule().Enum, "none mig"},
	} {
		if diff := cmp.Diff(tt.want, strings.Join(tt.words, " ")); diff != "" {
			t.Errorf("words (-want +got):\n%s", diff)
		}
	}
}

func TestCheck(t *testing.T) {
	mps, slicing, mig := kdp.SharingMPS, kdp.SharingTimeSlicing, kdp.PartitioningMIG
	profile := &kdp.MIG{Profile: map[kdp.GPUModel]kdp.MIGProfile{
		*valuetest.Parse[kdp.GPUModel](t, "a100.40gb"): *valuetest.Parse[kdp.MIGProfile](t, "7"),
	}}
	tests := []struct {
		name   string
		nvidia *kdp.NVIDIA
		want   []string
	}{
		{name: "nothing set"},
		{name: "time-slicing of parts", nvidia: &kdp.NVIDIA{
			DeviceSharingStrategy: &slicing, TimeSlicing: &kdp.TimeSlicing{}, DevicePartitioningStrategy: &mig, MIG: profile,
		}},
		{name: "mps", nvidia: &kdp.NVIDIA{DeviceSharingStrategy: &mps, MPS: &kdp.MPS{}}},
		{
			name: "mps of parts", nvidia: &kdp.NVIDIA{DeviceSharingStrategy: &mps, DevicePartitioningStrategy: &mig},
			want: []string{
				`settings.kubelet-device-plugins.nvidia.device-sharing-strategy: device-sharing-strategy is mps and device-partitioning-strategy is mig: ` +
					`a split GPU cannot be shared this way (set device-sharing-strategy to none or time-slicing, or device-partitioning-strategy to none)`,
			},
		},
		{
			name: "details of what is not chosen", nvidia: &kdp.NVIDIA{DeviceSharingStrategy: &mps, TimeSlicing: &kdp.TimeSlicing{}, MIG: profile},
			want: []string{
				`warning: settings.kubelet-device-plugins.nvidia.time-slicing: time-slicing is set and device-sharing-strategy is mps: ` +
					`it has no effect (set device-sharing-strategy to time-slicing, or leave time-slicing out)`,
				`warning: settings.kubelet-device-plugins.nvidia.mig: mig is set and device-partitioning-strategy is unset: ` +
					`it has no effect (set device-partitioning-strategy to mig, or leave mig out)`,
			},
		},
		{
			name: "mps details without a strategy", nvidia: &kdp.NVIDIA{MPS: &kdp.MPS{}},
			want: []string{
				`warning: settings.kubelet-device-plugins.nvidia.mps: mps is set and device-sharing-strategy is unset: ` +
					`it has no effect (set device-sharing-strategy to mps, or leave mps out)`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := kdp.Settings{NVIDIA: tt.nvidia}
			if diff := cmp.Diff(tt.want, valuetest.Faults(s.Check, "kubelet-device-plugins")); diff != "" {
				t.Errorf("Check: faults (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever is accepted comes back unchanged and matches its rule.
func FuzzGPUs(f *testing.F) {
	for _, s := range []string{"a100.40gb", "1g.5gb", "7", "a100x40gb", "1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := kdp.ParseGPUModel(s); err == nil {
			valuetest.PrintsAs(t, v, s)
		}
		if v, err := kdp.ParseMIGProfile(s); err == nil {
			valuetest.PrintsAs(t, v, s)
		}
	})
}
