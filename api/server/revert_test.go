package server_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/pki"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A revert by which a caller from the network may cut itself off is tried, unless
// it takes a try back.
func TestNetworkRevertsAreTried(t *testing.T) {
	n := startRemote(t)
	admin := n.as(pki.Admin)
	commit := func(tx, body, query string) string {
		t.Helper()
		admin.do("PATCH /settings?tx="+tx, "json", body)
		a := admin.do("POST /tx/commit?tx="+tx+query, "", "")
		if a.status != http.StatusOK {
			t.Fatalf("commit of %s: %d %s", body, a.status, a.body)
		}
		return a.header.Get("Bulkhead-Generation")
	}
	const eth = `{"network":{"interfaces":{"eth0":{"addresses":["192.0.2.%d/24"]}}}}`
	one := commit("t", fmt.Sprintf(eth, 1), "&try=none")
	two := commit("t", fmt.Sprintf(eth, 2), "&try=none")
	three := commit("t", fmt.Sprintf(eth, 3), "&try=none")
	admin.do("POST /generations/"+two+"/revert?try=none", "", "")
	motd := commit("t", `{"motd":"x"}`, "")
	network := func(id uint64) string {
		t.Helper()
		_, doc, err := n.store.Generation(id)
		if err != nil {
			t.Fatal(err)
		}
		return string(doc.Under(key.Of("network")).JSON())
	}
	steps := []struct {
		name, to, query string
		local           bool
		want            string // Bulkhead-Try, - without a try
		base            string // that comes back
	}{
		{name: "other settings", to: two, want: "-"},
		{name: "the network", to: one, want: "default", base: two},
		{name: "and back, which ends the try", to: two, want: "-"},
		{name: "time said", to: one, query: "?try=1m", base: two},
		{name: "elsewhere during a try", to: three, want: "default", base: two},
		{name: "to what was before, with other settings", to: motd, want: "-"},
		{name: "for good", to: one, query: "?try=none", want: "-"},
		{name: "by a local caller", to: two, local: true, want: "-"},
	}
	for _, tt := range steps {
		line := "POST /generations/" + tt.to + "/revert" + tt.query
		var a answer
		if tt.local {
			a = n.must(line, "", "")
		} else {
			a = admin.do(line, "", "")
		}
		got, deadline := a.header.Get("Bulkhead-Try"), a.header.Get("Bulkhead-Try-Deadline")
		if deadline == "" {
			got = "-"
		}
		if a.status != http.StatusOK || got != tt.want {
			t.Errorf("%s: %s: %d %s, Bulkhead-Try %q until %q, want 200 and %q", tt.name, line, a.status, a.body, got, deadline, tt.want)
		}
		if tt.base == "" {
			continue
		}
		id, err := strconv.ParseUint(tt.base, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := network(n.store.Snapshot().Try.Base), network(id); got != want {
			t.Errorf("%s: %s would come back, want %s", tt.name, got, want)
		}
	}
}
