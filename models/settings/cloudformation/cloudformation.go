// Package cloudformation holds the settings of hosts that tell AWS
// CloudFormation how their boot went.
package cloudformation

import (
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings is the group cloudformation.
type Settings struct {
	// Whether the host signals success or failure to CloudFormation at the end of
	// its boot. It does so once in the life of an instance. The signal needs
	// stack-name and logical-resource-id.
	ShouldSignal *bool `setting:"should-signal"`

	// The name of the CloudFormation stack that waits for the signal.
	StackName *scalar.SingleLine `setting:"stack-name"`

	// The logical id, in the stack, of the resource that waits for the signal:
	// that of the Auto Scaling group, for instance.
	LogicalResourceID *scalar.SingleLine `setting:"logical-resource-id"`
}

// Check reports a signal without an address.
func (s *Settings) Check(p report.Place) {
	if s.ShouldSignal == nil || !*s.ShouldSignal {
		return
	}
	for _, m := range []struct {
		name  string
		value *scalar.SingleLine
	}{
		{"stack-name", s.StackName},
		{"logical-resource-id", s.LogicalResourceID},
	} {
		if m.value == nil || m.value.String() == "" {
			p.Missing(m.name, "should-signal is true and "+m.name+" is not set, so the signal cannot be sent",
				"set "+m.name+", or should-signal to false")
		}
	}
}
