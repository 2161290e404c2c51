// Package provision holds the settings of how a node takes its user data.
package provision

import "github.com/bulkhead-os/bulkhead/models/scalar"

// Settings is the group provision.
type Settings struct {
	// How often the node takes user data: "once" in its life, which is what unset
	// means, or "always", at each boot. With "always" whatever user data names is
	// set to what it says whenever the node boots, also where somebody has changed
	// it since; what it does not name stays as it is. It takes effect at the next
	// boot. The node then waits at each boot for all the places that may have user
	// data, for as long as it waits for them when it boots for the first time.
	Reapply *Reapply `setting:"reapply"`
}

// Reapply says how often user data is taken.
type Reapply string

// How often user data is taken.
const (
	Once   Reapply = "once"
	Always Reapply = "always"
)

// Rule describes the type.
func (Reapply) Rule() scalar.Rule {
	return scalar.Enum("way to take user data", string(Once), string(Always))
}
