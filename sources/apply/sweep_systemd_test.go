package apply

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

// sampled is how long settings are tried without BULKHEAD_SOAK.
const sampled = 15 * time.Second

// The same on a node: what apiclient says that a change would do, systemd and
// the disk show afterwards, and a revert takes all of it back. With
// BULKHEAD_SOAK every setting is tried in one variant of each runtime that it
// does something in, otherwise some settings of one variant.
func TestEverySettingUnderSystemd(t *testing.T) {
	programs, imageDir := nodePrograms(t), realImage(t)
	names, err := variant.Names(variants.Files)
	must(t, err)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	soak := os.Getenv("BULKHEAD_SOAK") != ""
	tried := map[string]bool{} // by runtime and setting
	all := map[string]bool{}
	for _, name := range names {
		var last document.Document
		for _, mode := range slices.Sorted(maps.Keys(modes)) {
			s := newSweep(t, imageDir, name, mode)
			if s.base.Equal(last) {
				continue // the mode is not for this variant
			}
			last = s.base
			for _, l := range s.leaves() {
				all[l.String()] = true
			}
			changes := s.changes(r, tried)
			if len(changes) == 0 {
				continue
			}
			t.Run(name+"-"+mode, func(t *testing.T) {
				n := bootVariant(t, programs, s)
				end := time.Now().Add(sampled)
				for i, ch := range changes {
					if !soak && time.Now().After(end) {
						t.Logf("seed %d: %d of %d settings", seed, i, len(changes))
						break
					}
					n.try(ch)
				}
			})
			if !soak {
				return
			}
		}
	}
	for l := range tried {
		_, setting, _ := strings.Cut(l, " ")
		delete(all, setting)
	}
	for setting := range all {
		if shadowed[setting] == "" {
			t.Errorf("settings.%s does nothing in any variant", setting)
		}
	}
	t.Logf("seed %d: %d settings", seed, len(tried))
}

// changes returns a change of each setting that does something here and was not
// in tried, to which it adds them.
func (s *sweep) changes(r *rand.Rand, tried map[string]bool) []changed {
	var out []changed
	leaves := s.leaves()
	r.Shuffle(len(leaves), func(i, j int) { leaves[i], leaves[j] = leaves[j], leaves[i] })
	for _, l := range leaves {
		name := s.v.Runtime + " " + l.String()
		if tried[name] {
			continue
		}
		ch, ok := s.change(l)
		if !ok || ch.text == without || len(s.expected(ch).files) == 0 && !s.readByProgram(ch.key) {
			continue
		}
		tried[name] = true
		out = append(out, ch)
	}
	return out
}

// try makes one change and takes it back.
func (n *variantNode) try(ch changed) {
	n.t.Helper()
	words := []string{"set", ch.key.String() + "=" + ch.text}
	if ch.text == unset {
		words = []string{"unset", ch.key.String()}
	}
	want := n.s.expected(ch)
	base, before := n.generation, n.files()
	back := []string{"revert", strconv.FormatUint(base, 10)}
	for _, step := range []struct {
		words []string
		want  consequence
	}{{words, want}, {back, want.inverse()}} {
		planned := n.plan(step.words...)
		if diff := cmp.Diff(step.want, planned, consequences); diff != "" {
			n.t.Errorf("%s, %q: the dry run says (-want +got):\n%s", n.s.v.Name, step.words, diff)
		}
		if diff := cmp.Diff(step.want, n.commit(step.words...), consequences); diff != "" {
			n.t.Errorf("%s, %q (of %q): what happened (-want +got):\n%s", n.s.v.Name, step.words, words, diff)
		}
	}
	if diff := cmp.Diff(before, n.files()); diff != "" {
		n.t.Errorf("%s, %q: going back left (-before +after):\n%s", n.s.v.Name, words, diff)
	}
}

var consequences = cmp.AllowUnexported(consequence{})
