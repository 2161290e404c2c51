package cloudformation_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/cloudformation"
)

func TestCheck(t *testing.T) {
	text, empty := valuetest.Parse[scalar.SingleLine](t, "x"), valuetest.Parse[scalar.SingleLine](t, "")
	tests := []struct {
		name string
		in   cloudformation.Settings
		want []string
	}{
		{name: "nothing"},
		{name: "no signal", in: cloudformation.Settings{ShouldSignal: new(false), StackName: empty}},
		{name: "complete", in: cloudformation.Settings{ShouldSignal: new(true), StackName: text, LogicalResourceID: text}},
		{
			name: "empty and unset", in: cloudformation.Settings{ShouldSignal: new(true), StackName: empty},
			want: []string{
				"settings.cloudformation.stack-name: should-signal is true and stack-name is not set, so the signal cannot be sent (set stack-name, or should-signal to false)",
				"settings.cloudformation.logical-resource-id: should-signal is true and logical-resource-id is not set, so the signal cannot be sent (set logical-resource-id, or should-signal to false)",
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "cloudformation")); diff != "" {
				t.Errorf("faults of cloudformation (-want +got):\n%s", diff)
			}
		})
	}
}
