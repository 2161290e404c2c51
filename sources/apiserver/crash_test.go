package apiserver_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/audit"
)

// kills is how often the daemon is killed.
const kills = 200

// A history is what clients know of the commits they sent.
type history struct {
	mu           sync.Mutex
	acknowledged map[string]bool
	sent         map[string]bool
}

// The daemon is killed while clients commit through the socket, at moments of
// chance. Afterwards every commit that was acknowledged is in the history
// once, none is there twice, and none that nobody sent; the settings are those
// of the last generation, and each generation is whole: its two settings fit.
func TestKilledDuringCommits(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	h := &history{acknowledged: map[string]bool{}, sent: map[string]bool{}}
	for round := range kills {
		p := start(t, dir, "--retain", "100000", "--log-level", "error")
		if round%20 == 0 {
			h.check(t, p)
		}
		var clients sync.WaitGroup
		for client := range 2 {
			clients.Go(func() { h.commit(p, round, client) })
		}
		timer := time.NewTimer(time.Duration(random.IntN(30_000)) * time.Microsecond)
		<-timer.C
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.status()
		clients.Wait()
	}
	p := start(t, dir, "--retain", "100000")
	h.check(t, p)
	p.stop()
	t.Logf("%d kills, %d commits sent, %d acknowledged", kills, len(h.sent), len(h.acknowledged))
	if len(h.acknowledged) == 0 {
		t.Error("no commit was acknowledged, so nothing was tested")
	}
	if _, err := audit.Verify(filepath.Join(dir, "var/lib/bulkhead/audit")); err != nil {
		t.Errorf("Verify: %v", err)
	}
}

// commit commits until the daemon is gone.
func (h *history) commit(p *process, round, client int) {
	for i := 0; ; i++ {
		name := fmt.Sprintf("r%d-c%d-%d", round, client, i)
		body := fmt.Sprintf(`{"motd":%q,"kernel":{"sysctl":{"last":%q}}}`, name, name)
		if status, _, err := p.try("PATCH", "/settings?tx="+name, body); err != nil || status != 204 {
			return
		}
		h.mu.Lock()
		h.sent[name] = true
		h.mu.Unlock()
		if status, _, err := p.try("POST", "/tx/commit?tx="+name+"&message="+name, ""); err != nil || status != 200 {
			return
		}
		h.mu.Lock()
		h.acknowledged[name] = true
		h.mu.Unlock()
	}
}

func (h *history) check(t *testing.T, p *process) {
	t.Helper()
	var list []struct {
		ID      uint64
		Message string
	}
	if err := json.Unmarshal([]byte(p.must("GET", "/generations?limit=10000", "")), &list); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range list {
		if seen[g.Message] {
			t.Errorf("commit %s is in the history twice", g.Message)
		}
		if seen[g.Message] = true; !h.sent[g.Message] {
			t.Errorf("generation %d is %q, which nobody sent", g.ID, g.Message)
		}
	}
	for name := range h.acknowledged {
		if !seen[name] {
			t.Errorf("commit %s was acknowledged and is lost", name)
		}
	}
	if len(list) == 0 {
		return
	}
	var live struct {
		Motd   string
		Kernel struct{ Sysctl struct{ Last string } }
	}
	if err := json.Unmarshal([]byte(p.must("GET", "/settings?keys=motd,kernel.sysctl", "")), &live); err != nil {
		t.Fatal(err)
	}
	if live.Motd != list[0].Message || live.Kernel.Sysctl.Last != list[0].Message {
		t.Errorf("settings are %+v, want those of the last generation, %s", live, list[0].Message)
	}
}
