package schema

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/key"
)

// nearestHint suggests the name that was probably meant.
func nearestHint(name string, known []string) string {
	best, distance := "", 1+max(1, len(name)/3)
	for _, k := range known {
		if d := editDistance(name, k, distance); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) > 0 && len(known) <= 12 {
		return "known here: " + strings.Join(known, ", ")
	}
	return ""
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that lead from a to b; it gives up at limit.
func editDistance(a, b string, limit int) int {
	if abs(len(a)-len(b)) >= limit || len(a) > 100 {
		return limit
	}
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}

func abs(n int) int { return max(n, -n) }

// Nearest says what may have been meant by k, a key that Lookup does not know:
// the nearest name, or which variants have it. It is empty for a known key.
func (s *Schema) Nearest(k key.Key) string {
	n := s.root
	for seg := range k.Segments() {
		c := n.child(seg)
		if c == nil {
			return s.unknownHint(n, seg)
		}
		n = c
	}
	return ""
}

func (s *Schema) unknownHint(n *Node, name string) string {
	switch {
	case n.Kind == Leaf:
		return "it is a single value and has no members"
	case n == s.root:
		for _, g := range s.all {
			if g == name {
				return fmt.Sprintf("variant %s does not have these settings", s.owner)
			}
		}
	}
	var names []string
	for _, f := range n.Fields {
		names = append(names, f.Name)
	}
	if n == s.root && name != key.Root {
		names = append(names, key.Root)
	}
	return nearestHint(name, names)
}
