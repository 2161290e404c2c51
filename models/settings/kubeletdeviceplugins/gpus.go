package kubeletdeviceplugins

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A GPUModel names a model of GPU and its memory, such as a100.40gb.
type GPUModel struct{ s string }

var modelForm = regexp.MustCompile(`^[a-z0-9]+\.[0-9]+gb$`)

// ParseGPUModel returns the model written as s.
func ParseGPUModel(s string) (GPUModel, error) {
	if !modelForm.MatchString(s) {
		return GPUModel{}, fmt.Errorf("GPU model %s is not a model, a dot and a size in gb", syntax.NewString(s).Describe())
	}
	return GPUModel{s}, nil
}

// Rule describes the accepted models.
func (GPUModel) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "GPU model",
		Want:     "lower-case letters and digits, a dot, and the memory with the unit gb",
		Pattern:  modelForm.String(),
		Examples: []string{"a100.40gb", "h100.80gb"},
	}
}

// String returns the model as it was written.
func (m GPUModel) String() string { return m.s }

// MarshalText returns the model as it was written.
func (m GPUModel) MarshalText() ([]byte, error) { return []byte(m.s), nil }

// UnmarshalText reads a model.
func (m *GPUModel) UnmarshalText(b []byte) (err error) {
	*m, err = ParseGPUModel(string(b))
	return err
}

// A MIGProfile says into what a GPU is split: a number of equal parts, or the
// profile of one part.
type MIGProfile struct{ s string }

var profileForm = regexp.MustCompile(`^([12347]|[0-9]g\.[0-9]+gb)$`)

// ParseMIGProfile returns the profile written as s.
func ParseMIGProfile(s string) (MIGProfile, error) {
	if !profileForm.MatchString(s) {
		return MIGProfile{}, fmt.Errorf("MIG profile %s is neither a possible number of parts nor a profile", syntax.NewString(s).Describe())
	}
	return MIGProfile{s}, nil
}

// Parts returns the number of equal parts; ok is false where the profile of
// one part is given.
func (m MIGProfile) Parts() (n int, ok bool) {
	n, err := strconv.Atoi(m.s)
	return n, err == nil
}

// Rule describes the accepted profiles.
func (MIGProfile) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "MIG profile",
		Want:     `"1", "2", "3", "4" or "7", or a digit, g., and the memory with the unit gb`,
		Pattern:  profileForm.String(),
		Examples: []string{"7", "1g.5gb"},
	}
}

// String returns the profile as it was written.
func (m MIGProfile) String() string { return m.s }

// MarshalText returns the profile as it was written.
func (m MIGProfile) MarshalText() ([]byte, error) { return []byte(m.s), nil }

// UnmarshalText reads a profile.
func (m *MIGProfile) UnmarshalText(b []byte) (err error) {
	*m, err = ParseMIGProfile(string(b))
	return err
}

// SliceReplicas is how many containers share a GPU by turns: at least 2.
type SliceReplicas struct{ n int32 }

// MPSReplicas is among how many containers a GPU is divided: 2 to 48, what the
// multi-process service can serve.
type MPSReplicas struct{ n int32 }

const (
	leastReplicas     = 2
	mostSliceReplicas = math.MaxInt32
	mostMPSReplicas   = 48
)

// UnmarshalSetting reads an integer.
func (r *SliceReplicas) UnmarshalSetting(n *syntax.Node) error {
	v, err := replicas(n, mostSliceReplicas)
	if err == nil {
		*r = SliceReplicas{v}
	}
	return err
}

// UnmarshalSetting reads an integer.
func (r *MPSReplicas) UnmarshalSetting(n *syntax.Node) error {
	v, err := replicas(n, mostMPSReplicas)
	if err == nil {
		*r = MPSReplicas{v}
	}
	return err
}

func replicas(n *syntax.Node, most int64) (int32, error) {
	if n.Kind != syntax.Integer {
		return 0, fmt.Errorf("number of replicas %s is not an integer", n.Describe())
	}
	v, ok := n.Int()
	switch {
	case ok && v < leastReplicas:
		return 0, fmt.Errorf("number of replicas %d is less than %d", v, leastReplicas)
	case !ok || v > most:
		return 0, fmt.Errorf("number of replicas %s is more than %d", n.Describe(), most)
	}
	return int32(v), nil
}

// Value returns the number.
func (r SliceReplicas) Value() int { return int(r.n) }

// Value returns the number.
func (r MPSReplicas) Value() int { return int(r.n) }

// MarshalJSON returns the number.
func (r SliceReplicas) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, int64(r.n), 10), nil
}

// MarshalJSON returns the number.
func (r MPSReplicas) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, int64(r.n), 10), nil
}

// Rule describes the accepted numbers.
func (SliceReplicas) Rule() scalar.Rule { return replicasRule(mostSliceReplicas) }

// Rule describes the accepted numbers.
func (MPSReplicas) Rule() scalar.Rule { return replicasRule(mostMPSReplicas) }

func replicasRule(most int64) scalar.Rule {
	least := int64(leastReplicas)
	return scalar.Rule{
		Name:     "number of replicas",
		Want:     fmt.Sprintf("an integer from %d to %d", least, most),
		Types:    []string{"integer"},
		Min:      &least,
		Max:      &most,
		Examples: []string{"4"},
	}
}
