package slots

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/authenticode"
	"github.com/bulkhead-os/bulkhead/sources/internal/efivar"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir"
	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthcheck"
)

// A Machine is a node, or what stands for it.
type Machine struct {
	Root    string // below which are /proc and /sys
	Private string // where PRIVATE is mounted
	// Disk is a file with an image of a whole disk; empty for that of the node.
	Disk string
}

// A Session is the slots of a machine while nobody else can change them.
type Session struct {
	View View

	m       Machine
	part    *esp.Partition
	dir     *fatdir.Dir
	fs      *fatdir.FS
	private *os.Root
	vars    efivar.Vars
}

// Open looks at the slots of m, to change them if the access says so.
func (m Machine) Open(access esp.Access) (_ *Session, err error) {
	s := &Session{m: m, vars: efivar.Vars{Dir: filepath.Join(m.Root, efivar.Dir)}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if m.Disk != "" {
		s.part, err = esp.OpenImage(m.Disk, access)
	} else {
		s.part, err = esp.Open(access)
	}
	if err != nil {
		return nil, err
	}
	if s.private, err = os.OpenRoot(m.Private); err != nil {
		return nil, err
	}
	return s, s.look()
}

// Close ends the session.
func (s *Session) Close() error {
	var err error
	if s.private != nil {
		err = s.private.Close()
	}
	if s.part != nil {
		err = errors.Join(err, s.part.Close())
	}
	return err
}

// look makes the view of what is there now.
func (s *Session) look() (err error) {
	var v View
	if s.fs, err = fatdir.Open(s.part); err != nil {
		return err
	}
	if s.dir, err = s.fs.Dir(Dir); err != nil {
		return err
	}
	for _, f := range s.dir.Files() {
		if e, ok := s.entry(f); ok {
			v.Entries = append(v.Entries, e)
		}
	}
	v.Slots = slotsOf(s.part.Table)
	if v.Boot, err = s.boot(); err != nil {
		return err
	}
	if v.Memory, err = readMemory(s.private); err != nil {
		v.Memory, v.Lost = Memory{}, err.Error()
	}
	v.BootDeadline = s.bootDeadline()
	s.View = v
	return nil
}

// entry returns what a file in the directory of boot programs is to us.
func (s *Session) entry(f fatdir.File) (Entry, bool) {
	name, ours := ParseName(f.Name)
	short := !f.HasLongName() && strings.HasSuffix(f.Short, ".EFI")
	if f.IsDir || !ours && !short {
		return Entry{}, false
	}
	e := Entry{File: f.Name, Name: name, Cluster: f.Cluster, Short: short && !ours}
	r, err := s.fs.Open(f)
	var p program
	if err == nil {
		p, err = readProgram(r)
	}
	if e.Short && (err != nil || p.id != "bulkhead") {
		return Entry{}, false // somebody else's
	}
	if err != nil {
		e.Fault = err.Error()
		return e, true
	}
	e.Root, e.SortKey, e.Sort = p.root, p.sortKey, p.version
	if e.Short {
		e.Name.Version = p.version
	}
	return e, true
}

// slotsOf returns the slots of a disk. The identities of both partitions together
// are the root hash of what they hold.
func slotsOf(t *gpt.Table) []Slot {
	var all []Slot
	for _, name := range []string{"A", "B"} {
		data, err := t.Find("ROOT-" + name)
		tree, err2 := t.Find("ROOT-" + name + "-VERITY")
		if err != nil || err2 != nil || data < 0 || tree < 0 {
			continue
		}
		// A GUID swapped twice has the order of its bytes back.
		a, b := gpt.FromBytes(t.Partitions[data].ID), gpt.FromBytes(t.Partitions[tree].ID)
		all = append(all, Slot{Name: name, Root: fmt.Sprintf("%x", slices.Concat(a[:], b[:]))})
	}
	return all
}

func (s *Session) boot() (Boot, error) {
	line, err := os.ReadFile(filepath.Join(s.m.Root, "proc/cmdline"))
	if err != nil {
		return Boot{}, err
	}
	id, err := os.ReadFile(filepath.Join(s.m.Root, "proc/sys/kernel/random/boot_id"))
	if err != nil {
		return Boot{}, err
	}
	root, err := rootOf(string(line))
	if err != nil {
		return Boot{}, fmt.Errorf("what runs: %w", err)
	}
	return Boot{
		ID: strings.TrimSpace(string(id)), Root: root,
		Stub: s.vars.Text("StubImageIdentifier", efivar.Loader), Override: s.vars.Text(overrideVariable, efivar.Loader),
	}, nil
}

// bootDeadline returns what settings say, or zero: what they say cannot be read
// early in a boot, and is no reason not to change slots.
func (s *Session) bootDeadline() healthcheck.Span {
	root, err := os.OpenRoot(s.m.Root)
	if err != nil {
		return 0
	}
	defer root.Close()
	c, _ := healthcheck.Read(root)
	return c.Boot
}

// overrideVariable makes the loader start an entry even when it is bad.
const overrideVariable = "LoaderEntryDefault"

// Carry carries p out. Each step is safe before the next begins.
func (s *Session) Carry(p Plan, done func(Step)) error {
	for _, step := range p {
		if err := s.carry(step); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		done(step)
	}
	if len(p) == 0 {
		return nil
	}
	return s.look()
}

func (s *Session) carry(step Step) error {
	switch x := step.(type) {
	case Rename:
		return s.dir.Rename(x.From, x.To)
	case Unname:
		return s.dir.Unname(x.File)
	case Remember:
		return writeMemory(s.private, x.Memory)
	}
	panic(fmt.Sprintf("no such step: %T", step))
}

// Status returns the status, with the loaders and what the firmware may start.
func (s *Session) Status() Status {
	out := s.View.Status()
	for _, l := range loaders {
		if version := s.loaderOnESP(l); version != "" {
			out.Loaders = append(out.Loaders, Loader{Path: l.Dir + "/" + l.File, Version: version})
		}
	}
	options, err := s.vars.Options()
	if err != nil {
		return out // no such firmware
	}
	for _, n := range options.Order {
		o, ok := options.Find(n)
		if !ok || !o.Active {
			continue
		}
		out.Firmware = append(out.Firmware, FirmwareEntry{ID: fmt.Sprintf("Boot%04X", n), Name: o.Name, Path: o.File, Current: n == options.Current})
	}
	return out
}

// maxProgram bounds what is read of a boot program to check it.
const maxProgram = 256 << 20

// Check says whether the firmware will start the boot program of a version. Where
// it does not ask for signatures, it starts everything.
func (s *Session) Check(version string) error {
	if !s.vars.SecureBoot() {
		return nil
	}
	e, err := s.View.only(version)
	if err != nil {
		return err
	}
	f, ok := s.dir.Find(e.File)
	if !ok || f.Size > maxProgram {
		return refuse("%s cannot be read", e.File)
	}
	r, err := s.fs.Open(f)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read %s: %w", e.File, err)
	}
	if err := s.trusted(data); err != nil {
		return refuse("the firmware would not start %s: %w", e.File, err)
	}
	return nil
}

// trusted says whether the firmware starts a program, where it asks for
// signatures.
func (s *Session) trusted(program []byte) error {
	if !s.vars.SecureBoot() {
		return nil
	}
	allowed, err := s.database("db")
	if err != nil {
		return err
	}
	forbidden, err := s.database("dbx")
	if err != nil {
		return err
	}
	return authenticode.Check(program, allowed, forbidden)
}

func (s *Session) database(name string) (authenticode.Database, error) {
	data, err := s.vars.Read(name, efivar.Security)
	if errors.Is(err, fs.ErrNotExist) {
		return authenticode.Database{}, nil
	}
	if err != nil {
		return authenticode.Database{}, err
	}
	d, err := authenticode.ParseDatabase(data)
	if err != nil {
		return d, fmt.Errorf("variable %s: %w", name, err)
	}
	return d, nil
}

// loaderFile is what the firmware is to start.
const loaderFile = `\EFI\systemd\systemd-bootx64.efi`

// Firmware makes the firmware try the loader once more than a version has tries,
// and takes back what makes the loader start an entry whatever its state. Without
// such a firmware it does nothing.
func (s *Session) Firmware(done func(string)) error {
	options, err := s.vars.Options()
	if errors.Is(err, fs.ErrNotExist) || len(options.All) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if s.View.Boot.Override != "" {
		if err := s.vars.Remove(overrideVariable, efivar.Loader); err != nil {
			return err
		}
		done("remove " + overrideVariable + ": it would start a version that has failed")
	}
	p := s.part.Entry
	want := efivar.Option{
		Active: true, Name: "Bulkhead", File: loaderFile,
		Partition: efivar.Partition{Number: uint32(p.Number), Start: p.First, Sectors: p.Sectors(), ID: p.ID},
	}
	for _, w := range options.Repeat(want, Tries+1) {
		if err := s.vars.Write(w.Name, efivar.Global, w.Data); err != nil {
			return err
		}
		done("write " + w.Name + ": " + w.Why)
	}
	return nil
}
