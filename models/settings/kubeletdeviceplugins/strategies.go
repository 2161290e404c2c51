package kubeletdeviceplugins

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A DeviceIDStrategy says what the plugin calls a GPU.
type DeviceIDStrategy string

// Rule lists the strategies.
func (DeviceIDStrategy) Rule() scalar.Rule {
	return scalar.Enum("device id strategy", "uuid", "index")
}

// A DeviceSharingStrategy says how several containers share one GPU.
type DeviceSharingStrategy string

// The sharing strategies.
const (
	SharingNone        DeviceSharingStrategy = "none"
	SharingTimeSlicing DeviceSharingStrategy = "time-slicing"
	SharingMPS         DeviceSharingStrategy = "mps"
)

// Rule lists the strategies.
func (DeviceSharingStrategy) Rule() scalar.Rule {
	return scalar.Enum("device sharing strategy", string(SharingNone), string(SharingTimeSlicing), string(SharingMPS))
}

// A DevicePartitioningStrategy says whether GPUs are split in hardware.
type DevicePartitioningStrategy string

// The partitioning strategies.
const (
	PartitioningNone DevicePartitioningStrategy = "none"
	PartitioningMIG  DevicePartitioningStrategy = "mig"
)

// Rule lists the strategies.
func (DevicePartitioningStrategy) Rule() scalar.Rule {
	return scalar.Enum("device partitioning strategy", string(PartitioningNone), string(PartitioningMIG))
}

// A DeviceListStrategy names the ways, one or a list of several, in which the
// container runtime is told the GPUs of a container. It is stored the way it
// was written.
type DeviceListStrategy struct {
	words []string
	list  bool
}

var listStrategies = []string{"envvar", "volume-mounts", "cdi-cri"}

// UnmarshalSetting reads a word or a list of words.
func (d *DeviceListStrategy) UnmarshalSetting(n *syntax.Node) error {
	items := []*syntax.Node{n}
	switch n.Kind {
	case syntax.String:
	case syntax.Array:
		items = n.Items
	default:
		return fmt.Errorf("device list strategy %s is neither a word nor a list of words", n.Describe())
	}
	words := make([]string, 0, len(items))
	for _, item := range items {
		if item.Kind != syntax.String || !slices.Contains(listStrategies, item.Text) {
			return fmt.Errorf("device list strategy %s is unknown", item.Describe())
		}
		words = append(words, item.Text)
	}
	*d = DeviceListStrategy{words: words, list: n.Kind == syntax.Array}
	return nil
}

// Words returns the ways in their order.
func (d DeviceListStrategy) Words() []string { return slices.Clone(d.words) }

// Equal reports whether o has the same words in the same form.
func (d DeviceListStrategy) Equal(o DeviceListStrategy) bool {
	return d.list == o.list && slices.Equal(d.words, o.words)
}

// MarshalJSON returns the words in the form they were given.
func (d DeviceListStrategy) MarshalJSON() ([]byte, error) {
	var texts [][]byte
	for _, w := range d.words {
		texts = append(texts, strconv.AppendQuote(nil, w)) // letters and hyphens only
	}
	joined := bytes.Join(texts, []byte(","))
	if d.list {
		return fmt.Appendf(nil, "[%s]", joined), nil
	}
	return joined, nil
}

// Rule describes the accepted forms. Its pattern is that of one word.
func (DeviceListStrategy) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "device list strategy",
		Want:     "envvar, volume-mounts or cdi-cri, or a list of these",
		Types:    []string{"string", "array"},
		Pattern:  `^(envvar|volume-mounts|cdi-cri)$`,
		Examples: []string{"volume-mounts"},
	}
}
