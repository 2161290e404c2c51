package provision

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/sources/internal/generator"
)

// generating returns a run of the program with the generators of the node.
func (n *node) generating() error {
	r := n.newRun(n.data)
	r.runner = options{root: n.root}.newRunner(r)
	ctx, cancel := context.WithTimeout(n.t.Context(), 30*time.Second)
	defer cancel()
	return r.run(ctx)
}

func (n *node) origin(name string) client.Origin {
	n.t.Helper()
	all, err := n.api.Origins(n.t.Context(), client.Query{})
	if err != nil {
		n.t.Fatal(err)
	}
	return all[name]
}

// What nobody has set is found, once where it is to stay, and what user data
// says counts more.
func TestGenerators(t *testing.T) {
	n := start(t)
	n.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
	n.give(greeting)
	if err := n.generating(); err != nil {
		t.Fatal(err)
	}
	seed := n.origin("settings.updates.seed")
	if seed.Layer != client.Generated || seed.Generator != "update-seed" || seed.Strength != string(generator.Strong) {
		t.Errorf("seed: %+v, want a strong one of its generator", seed)
	}
	if got := n.read("etc/hostname"); !strings.HasPrefix(got, "bulkhead-") {
		t.Errorf("host name: %q, want one that was made", got)
	}
	if got := n.user(); got != `{"motd":"from user data"}` {
		t.Errorf("user layer: %s, want only user data in it", got)
	}
	if _, err := n.api.PatchPairs(t.Context(), "", []string{"network.hostname=mine"}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.api.Commit(t.Context(), client.CommitRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := n.generating(); err != nil {
		t.Fatal(err)
	}
	if got := n.origin("settings.updates.seed"); string(got.Value) != string(seed.Value) {
		t.Errorf("seed after the second boot: %s, want %s as before", got.Value, seed.Value)
	}
	if got := n.read("etc/hostname"); got != "mine\n" {
		t.Errorf("host name after the second boot: %q, want what was set", got)
	}
	if got := n.faults(); len(got) > 0 {
		t.Errorf("faults: %q, want none", got)
	}
}

// A node without a part of what generators go by comes up and says nothing; one
// on which they fail says so.
func TestGeneratorsFail(t *testing.T) {
	n := start(t)
	n.write("etc/machine-id/in-the-way", "")
	if err := n.generating(); err != nil {
		t.Fatal(err)
	}
	if got := n.faults(); !slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, "no value was found for network.hostname") }) {
		t.Errorf("faults: %q, want one about the host name", got)
	}
}

// BenchmarkFirstBoot measures the program with local user data, as at the first
// boot of a node.
func BenchmarkFirstBoot(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		n := start(b)
		n.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
		n.give(greeting)
		if err := (&run{api: n.api}).await(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := n.generating(); err != nil {
			b.Fatal(err)
		}
	}
}
