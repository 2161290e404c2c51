package scalar

// A BootstrapMode says on which boots a bootstrap container or command runs.
type BootstrapMode string

// The bootstrap modes. Once turns into Off after a run that succeeded.
const (
	BootstrapOff    BootstrapMode = "off"
	BootstrapOnce   BootstrapMode = "once"
	BootstrapAlways BootstrapMode = "always"
)

// Rule describes the type.
func (BootstrapMode) Rule() Rule {
	return Enum("bootstrap mode", string(BootstrapOff), string(BootstrapOnce), string(BootstrapAlways))
}
