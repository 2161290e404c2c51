package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// crashDir names, for the process that is to be killed, the state directory to
// work in.
const crashDir = "BULKHEAD_STORE_CRASH"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Println("failed", work(dir)) // it ends only in this way or by a signal
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// work changes the settings in dir for ever and prints what was acknowledged.
func work(dir string) error {
	s, err := Open(Options{Dir: dir, Retain: 20, Evaluate: evaluate})
	if err != nil {
		return err
	}
	go s.Run(context.Background()) // writes plain copies meanwhile; ends with the process
	w := &worker{s: s, ctx: context.Background()}
	if _, err := s.Drop("t"); err != nil { // what the last life had in hand may be something to refuse
		return err
	}
	p, _ := s.Pending("stay")
	fmt.Printf("open %s pending %s faults %v\n", describe(s.Snapshot()), p.JSON(), s.Health())
	if s.Snapshot().Try != nil {
		w.confirm()
	}
	for i := 0; w.err == nil; i++ {
		w.round(i)
	}
	return w.err
}

// describe returns generation, n, revision, g, and whether a refused value is
// there.
func describe(snap *Snapshot) string {
	text := func(d document.Document, name string) string {
		if v, ok := d.Get(key.Of(name)); ok {
			return v.JSON()
		}
		return "-"
	}
	refused := strings.Contains(string(snap.User.JSON()), "late")
	return fmt.Sprintf("%d %s %d %s %v", snap.Current.ID, text(snap.User, "n"), snap.Revision, text(snap.Generated, "g"), refused)
}

type worker struct {
	s   *Store
	ctx context.Context
	err error
}

func (w *worker) patch(tx string, pairs ...string) {
	var leaves []document.Leaf
	for i := 0; i < len(pairs); i += 2 {
		leaves = append(leaves, document.Leaf{Key: key.Of(pairs[i]), Value: document.NewValue(pairs[i+1])})
	}
	w.err = errors.Join(w.err, w.s.Patch(w.ctx, PatchRequest{Tx: tx, Patch: document.Patch{Set: document.Of(leaves...)}}))
}

func (w *worker) commit(tx string, try time.Duration) {
	_, err := w.s.Commit(w.ctx, CommitRequest{Tx: tx, Try: try})
	w.ack(err)
}

func (w *worker) confirm() {
	_, err := w.s.Confirm(w.ctx, ConfirmRequest{})
	w.ack(err)
}

// ack tells that what is there now was acknowledged.
func (w *worker) ack(err error) {
	if w.err = errors.Join(w.err, err); w.err == nil {
		fmt.Printf("ack %s\n", describe(w.s.Snapshot()))
	}
}

func (w *worker) round(i int) {
	n := fmt.Sprint(time.Now().UnixNano()) // grows from life to life
	pad := `"` + strings.Repeat("p", rand.IntN(12_000)) + `"`
	w.patch("t", "n", n, "pad", pad)
	switch i % 6 {
	case 0, 1:
		w.commit("t", 0)
	case 2:
		w.commit("t", time.Hour)
		w.confirm()
	case 3:
		_, err := w.s.Revert(w.ctx, RevertRequest{To: w.s.Generations(3, 0)[0].ID})
		w.ack(err)
		w.ack(w.s.SetGenerated(w.ctx, GeneratedRequest{Patch: document.Patch{Set: document.Of(document.Leaf{Key: key.Of("g"), Value: document.NewValue(n)})}}))
	case 4:
		w.patch("t", "x", `"late"`)
		if _, err := w.s.Commit(w.ctx, CommitRequest{Tx: "t"}); !isRefusal(err) {
			w.err = fmt.Errorf("commit of what is not acceptable: %w", err)
		}
		if _, err := w.s.Drop("t"); err != nil {
			w.err = err
		}
	case 5:
		w.patch("stay", "n", n)
		if w.err == nil {
			fmt.Printf("pending %s\n", n)
		}
	}
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*report.Refusal](err)
	return ok
}

// A process that is killed at any moment, in the middle of commits mostly,
// leaves what it has acknowledged, at most what it was about to, and nothing
// of what it has refused.
func TestKilledProcess(t *testing.T) {
	kills := 150
	if soak() {
		kills = 5000
	}
	for lane := range 2 {
		t.Run(fmt.Sprintf("lane %d", lane), func(t *testing.T) {
			t.Parallel()
			v := &victim{t: t, dir: t.TempDir()}
			commits := 0
			for range kills {
				commits += v.run(time.Duration(rand.Int64N(int64(25 * time.Millisecond))))
				if t.Failed() {
					return
				}
			}
			if commits < kills {
				t.Errorf("%d commits in %d lives, want some in each", commits, kills)
			}
		})
	}
}

// A victim is a state directory whose processes get killed.
type victim struct {
	t       *testing.T
	dir     string
	acked   string // the last state that was acknowledged, as describe tells it
	pending uint64 // n in the open transaction
}

// run lets a process live for about the given time after it has opened the
// store. It returns how many changes it has acknowledged.
func (v *victim) run(life time.Duration) (acks int) {
	cmd := exec.CommandContext(v.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+v.dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		v.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "open":
			v.check(rest)
			time.AfterFunc(life, func() { cmd.Process.Kill() })
		case "ack":
			v.acked = rest
			acks++
		case "pending":
			v.pending = number(v.t, rest)
		default:
			v.t.Errorf("child: %s", lines.Text())
		}
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		v.t.Errorf("child ended by itself: %v\n%s", err, stderr.String())
	}
	return acks
}

// check compares what a new process finds with what the last one said. From
// then on what was found counts as acknowledged: it has been served.
func (v *victim) check(found string) {
	f := strings.Fields(found) // state, "pending", patch, "faults", list
	if len(f) < 9 {
		v.t.Fatalf("child: open %s", found)
	}
	now, was := f[:5], strings.Fields(v.acked)
	if len(was) == 0 {
		was = []string{"0", "-", "0", "-", "false"}
	}
	same := func(fields ...int) bool {
		return !slices.ContainsFunc(fields, func(i int) bool { return now[i] != was[i] })
	}
	next := func(field int) bool { return number(v.t, now[field]) == number(v.t, was[field])+1 }
	switch {
	case same(0, 1, 2, 3):
	case next(0) && same(2, 3): // was being committed
	case next(2) && same(0, 1): // was being generated
	default:
		v.t.Errorf("found %v, acknowledged was %v", now, was)
	}
	if now[4] != "false" {
		v.t.Errorf("found %v: a refused value is there", now)
	}
	var open struct{ N uint64 }
	if err := json.Unmarshal([]byte(f[6]), &open, json.MatchCaseInsensitiveNames(true)); err != nil || open.N < v.pending {
		v.t.Errorf("open transaction: %s, %v, want n = %d or newer", f[6], err, v.pending)
	}
	if faults := strings.Join(f[8:], " "); faults != "[]" {
		v.t.Errorf("faults: %s", faults)
	}
	v.acked, v.pending = strings.Join(now, " "), open.N
}

func number(t *testing.T, text string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
