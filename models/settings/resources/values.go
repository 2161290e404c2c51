package resources

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// The least that a container is started with: below that, what starts it is what
// does not fit.
const (
	leastMemory = 32 << 20
	leastPIDs   = 32
)

// Memory is the most memory of a container in bytes.
type Memory struct{ size scalar.ByteSize }

// ParseMemory returns the Memory written as s.
func ParseMemory(s string) (Memory, error) {
	size, err := scalar.ParseByteSize(s)
	if err != nil {
		return Memory{}, err
	}
	return newMemory(size)
}

func newMemory(size scalar.ByteSize) (Memory, error) {
	if size.Int64() < leastMemory {
		return Memory{}, fmt.Errorf("%s bytes of memory are too few to start a container, want 32MiB or more", size)
	}
	return Memory{size}, nil
}

// Bytes returns the number of bytes.
func (m Memory) Bytes() int64 { return m.size.Int64() }

// String returns the number of bytes in decimal.
func (m Memory) String() string { return m.size.String() }

// UnmarshalSetting reads an integer, or a string with a unit.
func (m *Memory) UnmarshalSetting(n *syntax.Node) error {
	var size scalar.ByteSize
	err := size.UnmarshalSetting(n)
	if err == nil {
		*m, err = newMemory(size)
	}
	return err
}

// MarshalJSON returns the number of bytes.
func (m Memory) MarshalJSON() ([]byte, error) { return m.size.MarshalJSON() }

// Rule describes the type.
func (Memory) Rule() scalar.Rule {
	r := scalar.ByteSize{}.Rule()
	r.Name, r.Want = "memory of a container", "32MiB or more: a number of bytes, or a string with a unit such as 64mb or 1.5GiB"
	least, most := int64(leastMemory), int64(math.MaxInt64)
	r.Min, r.Max = &least, &most
	r.Examples = []string{"512MiB", "1.5GiB"}
	return r
}

// CPUs is a number of processors, in hundredths.
type CPUs struct{ hundredths int32 }

// mostCPUs is more than any computer has.
const mostCPUs = 10000

var cpusForm = regexp.MustCompile(`^[0-9]{1,5}(\.[0-9]{1,2})?$`)

// ParseCPUs returns the CPUs written as s: digits, and at most two behind a point.
func ParseCPUs(s string) (CPUs, error) {
	if !cpusForm.MatchString(s) {
		return CPUs{}, fmt.Errorf("number of processors %.40q is not a number such as 2 or 0.5 with at most two digits behind the point", s)
	}
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole+(fraction + "00")[:2], 10, 32)
	if err != nil || n == 0 || n > 100*mostCPUs {
		return CPUs{}, fmt.Errorf("number of processors %s is out of range, want 0.01 to %d", s, mostCPUs)
	}
	return CPUs{int32(n)}, nil
}

// Hundredths returns the number of processors times 100.
func (c CPUs) Hundredths() int { return int(c.hundredths) }

// String returns the number without needless digits.
func (c CPUs) String() string { return strconv.FormatFloat(float64(c.hundredths)/100, 'f', -1, 64) }

// UnmarshalSetting reads a number, or a string that holds one.
func (c *CPUs) UnmarshalSetting(n *syntax.Node) (err error) {
	switch n.Kind {
	case syntax.Integer, syntax.Float, syntax.String:
		*c, err = ParseCPUs(n.Text)
		return err
	}
	return fmt.Errorf("number of processors is %s, not a number", n.Describe())
}

// MarshalJSON returns the number as a string, so that it stays what it is.
func (c CPUs) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(c.String())), nil }

// Rule describes the type.
func (CPUs) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "number of processors",
		Want:     "a number of processors from 0.01 to 10000, with at most two digits behind the point",
		Types:    []string{"string", "number", "integer"},
		Pattern:  cpusForm.String(),
		Examples: []string{"0.5", "2"},
	}
}

// PIDs is the most processes and threads of a container.
type PIDs struct{ n int32 }

// NewPIDs returns n as PIDs.
func NewPIDs(n int64) (PIDs, error) {
	if n < leastPIDs || n > math.MaxInt32 {
		return PIDs{}, fmt.Errorf("number of processes %d is out of range, want %d to %d", n, leastPIDs, math.MaxInt32)
	}
	return PIDs{int32(n)}, nil
}

// Int returns the number.
func (p PIDs) Int() int { return int(p.n) }

// String returns the number in decimal.
func (p PIDs) String() string { return strconv.Itoa(int(p.n)) }

// UnmarshalSetting reads an integer.
func (p *PIDs) UnmarshalSetting(n *syntax.Node) (err error) {
	v, ok := n.Int()
	if n.Kind != syntax.Integer || !ok {
		return fmt.Errorf("number of processes is %s, not an integer in range", n.Describe())
	}
	*p, err = NewPIDs(v)
	return err
}

// MarshalJSON returns the number.
func (p PIDs) MarshalJSON() ([]byte, error) { return []byte(p.String()), nil }

// Rule describes the type.
func (PIDs) Rule() scalar.Rule {
	least, most := int64(leastPIDs), int64(math.MaxInt32)
	return scalar.Rule{
		Name:     "number of processes",
		Want:     "an integer from 32 to 2147483647",
		Types:    []string{"integer"},
		Examples: []string{"100"},
		Min:      &least, Max: &most,
	}
}
