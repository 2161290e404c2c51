package bootslot

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir/fattest"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthcheck"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// units are those of a node, by their names.
type units map[string]healthcheck.Unit

func (u units) Unit(_ context.Context, name string) (healthcheck.Unit, error) { return u[name], nil }

// states gives one state after the other, and the last for ever.
func states(all ...any) health {
	i := 0
	return func(context.Context) (client.Health, error) {
		s := all[min(i, len(all)-1)]
		i++
		if err, ok := s.(error); ok {
			return client.Health{}, err
		}
		return s.(client.Health), nil
	}
}

func inError(source string, code report.Code, detail string) client.Health {
	return client.Health{Status: "degraded", Faults: []report.Fault{{Severity: report.Error, Source: source, Code: code, Detail: detail}}}
}

func TestAwait(t *testing.T) {
	starting := client.Health{Status: "starting", Faults: []report.Fault{
		{Severity: report.Info, Source: "a.service", Code: "unit-starting"}, {Severity: report.Info, Source: "boot-complete.service", Code: "unit-starting"},
	}}
	well := client.Health{Status: "ok"}
	failed := inError("b.service", "unit-failed", "the unit has failed: B")
	loaded := healthcheck.Unit{Loaded: true, Active: "inactive"}
	node := units{"b.service": loaded, "c.service": {Loaded: true, Active: "failed", Around: []string{"network-online.target"}}}
	check := healthcheck.Config{Health: healthcheck.Span(30 * time.Second), Checks: map[string]healthcheck.Check{"mine": {Unit: "b.service"}}}
	tests := []struct {
		name   string
		look   health
		config healthcheck.Config
		was    healthcheck.Config
		want   string
		took   time.Duration
	}{
		{name: "well", look: states(well), took: 4 * time.Second},
		{name: "well after a while", look: states(errors.New("no API"), starting, starting, failed, failed, well), took: 8 * time.Second},
		{name: "warned", look: states(client.Health{Status: "degraded", Faults: []report.Fault{{Severity: report.Warning, Detail: "a key"}}}), took: 4 * time.Second},
		{name: "in error about the slots themselves", look: states(inError("boot-slot", "boot-slots-all-bad", "every version has failed")), took: 4 * time.Second},
		{name: "a unit that waits for the network", look: states(inError("c.service", "unit-failed", "the unit has failed: C")), took: 4 * time.Second},
		{
			name: "hangs", look: states(starting), was: healthcheck.Config{Boot: healthcheck.Span(time.Minute)},
			want: "not booted within 1m0s: the boot is not complete; it waits for a.service", took: time.Minute,
		},
		{
			name: "silent", look: states(errors.New("no API")),
			want: "not booted within 10m0s: the settings API does not answer: no API", took: 10 * time.Minute,
		},
		{
			name: "a unit has failed", look: states(starting, failed),
			want: "not healthy within 5m0s: b.service: the unit has failed: B", took: 5*time.Minute + time.Second,
		},
		{
			name: "well now and then", look: flapping(),
			want: "not healthy within 5m0s: b.service: the unit has failed: B", took: 5 * time.Minute,
		},
		{
			name: "a check fails", look: states(well), config: check,
			want: "not healthy within 30s: health check mine: unit b.service is inactive, want active", took: 30 * time.Second,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := waiter{look: tt.look, config: func() (healthcheck.Config, error) { return tt.config, nil }, units: node, pause: time.Second}
				began := time.Now()
				err := w.await(t.Context(), tt.was)
				got := ""
				if err != nil {
					got = err.Error()
				}
				if took := time.Since(began); got != tt.want || took != tt.took {
					t.Errorf("await: %q after %s, want %q after %s", got, took, tt.want, tt.took)
				}
			})
		})
	}
}

// flapping is a node that looks well three times out of four.
func flapping() health {
	i := 0
	return func(context.Context) (client.Health, error) {
		if i++; i%4 == 2 {
			return inError("b.service", "unit-failed", "the unit has failed: B"), nil
		}
		return client.Health{Status: "ok"}, nil
	}
}

// The loader of a version is put in place once the version is proven, and a boot
// with nothing else to do makes up for what was cut off.
func TestLoaderFollowsTheVersion(t *testing.T) {
	loader := func(version string) []byte {
		return executable([][2]string{{".sdmagic", "#### LoaderInfo: systemd-boot " + version + " ####"}})
	}
	const systemd, kept = "EFI/systemd", "bulkhead-1.1.0.efi"
	for _, file := range []string{kept, "bulkhead-1.1.0+2-1.efi"} {
		n := newNode(t, "1.0.0", "1.1.0", nil)
		n.boots("1.1.0")
		n.write("root/"+slots.LoaderFile, loader("257.13-1"))
		f, err := os.OpenFile(n.path("disk"), os.O_RDWR, 0)
		n.must(err)
		_, err = f.WriteAt(fattest.MakeTree(espSize, 0, map[string]map[string][]byte{
			dir:     {"bulkhead-1.0.0.efi": program("1.0.0"), file: program("1.1.0")},
			systemd: {"systemd-bootx64.efi": loader("257.9-1")},
		}), 64*sector)
		n.must(errors.Join(err, f.Close()))
		cmd, opt := n.command()
		d, err := opt.due()
		if err != nil || !d.any() || d.loader != (file == kept) {
			t.Errorf("with %s due is %+v, %v, want the loader: %t", file, d, err, file == kept)
		}
		p := proof{cmd: cmd, opt: opt, mark: func() error { _, err := n.run("mark-good"); return err }}
		p.waiter = waiter{look: states(client.Health{Status: "ok"}), pause: time.Millisecond, units: units{}, config: opt.config}
		if err := p.run(d); err != nil {
			t.Errorf("with %s: %v", file, err)
		}
		b, err := os.ReadFile(n.path("disk"))
		n.must(err)
		got, err := fattest.Contents(b[64*sector:][:espSize], systemd, false)
		n.must(err)
		want := map[string]string{"systemd-bootx64.efi": string(loader("257.13-1")), "systemd-bootx64.efi.previous": string(loader("257.9-1"))}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with %s: loaders (-want +got):\n%s", file, diff)
		}
		if d, err = opt.due(); err != nil || d.any() {
			t.Errorf("with %s and all done: due is %+v, %v, want nothing", file, d, err)
		}
	}
}

// A version that does not hold is left where something can take over, and why it
// did not is remembered for that.
func TestFail(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		reboots    int
	}{
		{"on trial", "bulkhead-1.1.0+2-1.efi", 1},
		{"good", "bulkhead-1.1.0.efi", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, "1.0.0", "1.1.0", map[string][]byte{"bulkhead-1.0.0.efi": program("1.0.0"), tt.file: program("1.1.0")})
			n.boots("1.1.0")
			reboots := 0
			cmd, opt := n.command()
			p := proof{cmd: cmd, opt: opt, mark: func() error { return errors.New("marked") }, reboot: func(context.Context) error { reboots++; return nil }}
			p.waiter = waiter{
				look: states(inError("b.service", "unit-failed", "the unit has failed: B")), pause: time.Millisecond, units: units{},
				config: func() (healthcheck.Config, error) {
					return healthcheck.Config{Health: healthcheck.Span(time.Millisecond)}, nil
				},
			}
			d, err := opt.due()
			if err != nil {
				t.Fatal(err)
			}
			err = p.run(d)
			if d.trial != (tt.reboots == 1) || reboots != tt.reboots || d.trial && (err == nil || !strings.Contains(err.Error(), "b.service: the unit has failed: B")) {
				t.Errorf("run with %+v: %v and %d reboots, want %d", d, err, reboots, tt.reboots)
			}
			n.boots("1.0.0")
			if _, err := n.run("begin"); err != nil {
				t.Fatal(err)
			}
			out, err := n.run("status")
			if said := strings.Contains(out, "version 1.1.0: not healthy within 1ms: b.service: the unit has failed: B"); err != nil || said != d.trial {
				t.Errorf("boot-slot status after that: %v\n%swant the reason: %t", err, out, d.trial)
			}
		})
	}
}
