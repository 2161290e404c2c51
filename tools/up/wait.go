package up

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/contexts"
	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/vm"
)

// phases are what a node's console tells about how far it is.
var phases = []struct{ line, phase string }{
	{"BdsDxe: starting", "the firmware starts the boot loader"},
	{"initrd: ", ""}, // says itself what is wrong
	{"Kernel panic", ""},
	{"is corrupted", ""},
	{"[FAILED]", ""},
	{" is ready", ""},
	{" is degraded", ""},
}

// phase returns what a line of a console tells about how far the node is.
func phase(line string) (string, bool) {
	for _, p := range phases {
		if strings.Contains(line, p.line) {
			if p.phase == "" {
				return strings.TrimSpace(line), true
			}
			return p.phase, true
		}
	}
	return "", false
}

const (
	poll    = 500 * time.Millisecond
	asking  = 5 * time.Second  // for one answer
	settles = 20 * time.Second // until a node that is degraded is taken at its word
	still   = 20 * time.Second // until it is said that there is nothing to say
)

// wait waits until the nodes are healthy.
func (j *job) wait(parent context.Context, nodes []*node) error {
	ctx, cancel := context.WithTimeoutCause(parent, j.opt.Limit, fmt.Errorf("not healthy within %s (--limit)", j.opt.Limit))
	defer cancel()
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { errs[i] = j.waitFor(ctx, n) })
	}
	all.Wait()
	if parent.Err() != nil {
		return errors.New("interrupted; the nodes go on in the background: shipyard ps shows them, shipyard down ends them")
	}
	return errors.Join(errs...)
}

// waitFor waits until one node is healthy, and shows its console if it will not
// become so.
func (j *job) waitFor(ctx context.Context, n *node) error {
	known, err := contexts.Load(j.opt.Contexts)
	if err != nil {
		return err
	}
	c, err := clientOf(known, n.name)
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	var console sync.WaitGroup
	if n.begun {
		console.Go(func() { j.watch(watching, n) })
	}
	health, err := vigil{
		health: func(ctx context.Context) (client.Health, error) { return ask(ctx, c) },
		on:     func(ctx context.Context) error { return j.on(ctx, n) },
		say: func(text string) {
			j.say("%s is on for %s and %s", n.name, time.Since(n.status.Since).Round(time.Second), text)
		},
	}.keep(ctx)
	stop()
	console.Wait()
	switch {
	case errors.Is(err, errOff), err != nil && ctx.Err() != nil:
		return fmt.Errorf("node %s: %w\n%s", n.name, err, j.tail(n))
	case errors.Is(err, errDegraded):
		return fmt.Errorf("node %s: %w\nlook with: apiclient --context %s health, and the same with logs", n.name, err, n.name)
	case err != nil:
		return fmt.Errorf("node %s: %w", n.name, err)
	}
	after := ""
	if n.begun {
		after = fmt.Sprintf(", %s after it was switched on", time.Since(n.status.Since).Round(100*time.Millisecond))
	}
	j.say("%s is healthy: version %s of %s%s", n.name, health.Version, health.Variant, after)
	return nil
}

// How a node is that will not become healthy.
var (
	errOff      = errors.New("it is off")
	errDegraded = errors.New("it is up, reachable and degraded")
)

// A vigil waits for one node.
type vigil struct {
	health func(context.Context) (client.Health, error)
	on     func(context.Context) error // errOff if the node is not on
	say    func(text string)
}

// keep asks the node until it is healthy. A node that is degraded is given time
// to settle: while it starts, something may be missing that comes.
func (v vigil) keep(ctx context.Context) (client.Health, error) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	told, degraded := time.Now(), time.Time{}
	for {
		h, err := v.health(ctx)
		switch {
		case err == nil && h.Status == "ok":
			return h, nil
		case err != nil || h.Status != "degraded":
			degraded = time.Time{}
		case degraded.IsZero():
			degraded = time.Now()
		case time.Since(degraded) > settles:
			return h, fmt.Errorf("%w:\n%s", errDegraded, faultLines(h.Faults))
		}
		if ctx.Err() == nil {
			if err := v.on(ctx); err != nil {
				return h, err
			}
		}
		if time.Since(told) > still {
			told = time.Now()
			v.say(howFar(h, err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return h, timedOut(ctx, h, err)
		}
	}
}

func howFar(h client.Health, err error) string {
	if err != nil {
		return "does not answer yet"
	}
	return "says that it is " + h.Status
}

// timedOut tells of a node that was not healthy in time, from its last answer.
func timedOut(ctx context.Context, h client.Health, err error) error {
	text := howFar(h, err)
	if err != nil {
		text += ": " + err.Error()
	}
	if len(h.Faults) > 0 {
		text += ":\n" + faultLines(h.Faults)
	}
	return fmt.Errorf("%w; it %s", context.Cause(ctx), text)
}

func ask(ctx context.Context, c *client.Client) (client.Health, error) {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	return c.Health(ctx)
}

// on returns an error when the node has gone off.
func (j *job) on(ctx context.Context, n *node) error {
	s, ok, err := j.cluster.Find(ctx, n.name)
	switch {
	case ctx.Err() != nil:
		return nil // which the vigil tells
	case err != nil:
		return err
	case !ok || s.State != cluster.Running:
		return fmt.Errorf("%w: %s", errOff, s.Why)
	}
	return nil
}

// watch tells what the node's console says about how far it is.
func (j *job) watch(ctx context.Context, n *node) {
	from, err := j.cluster.Follow(ctx, n.name)
	if err != nil {
		return // that it is off is told by the vigil
	}
	defer from.Close()
	lines := bufio.NewScanner(from)
	told := map[string]bool{}
	for lines.Scan() {
		if p, ok := phase(vm.Plain(lines.Bytes())); ok && !told[p] {
			told[p] = true
			j.say("%s: %s", n.name, p)
		}
	}
}

// tailLines is how much of a console is shown when a node does not come up.
const tailLines = 30

// tail returns the end of what a node wrote to its console, and what to do next.
func (j *job) tail(n *node) string {
	file := j.cluster.ConsoleLog(n.name)
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range bytes.Lines(text) {
		if p := vm.Plain(line); p != "" {
			lines = append(lines, "  "+p)
		}
	}
	lines = lines[max(0, len(lines)-tailLines):]
	return fmt.Sprintf("the end of its console (%s):\n%s\nit is left as it is; look with: shipyard console %s; end it with: shipyard down",
		file, strings.Join(lines, "\n"), n.name)
}
