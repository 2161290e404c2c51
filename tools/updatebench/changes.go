package updatebench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/updatetest"
)

const (
	before = "1.0.0"
	after  = "1.0.1"
	// earlier is the version of the image with libraries from before.
	earlier = "0.9.0"
)

// An edit changes one file of our programs.
type edit struct {
	file      string // in the repository
	old, next string // text in it
}

// Files of the program that most of ours are in, and of no other.
const (
	mainFile = "sources/cmd/bulkhead/main.go"
	textFile = "sources/console/command.go"
)

// A function of some size, that is called: all code behind it moves.
const function = `
// added is not called with so few words, which the compiler does not know.
func added(words []string) string {
	var out []string
	for _, w := range words {
		name, value, ok := cutOption(w)
		if !ok {
			continue
		}
		out = append(out, name+" is "+value)
		for i := len(out) - 1; i > 0 && out[i] < out[i-1]; i-- {
			out[i], out[i-1] = out[i-1], out[i]
		}
	}
	text := ""
	for _, line := range out {
		text += line + "\n"
	}
	return text
}

func cutOption(w string) (name, value string, ok bool) {
	for i, c := range w {
		if c == '=' {
			return w[:i], w[i+1:], true
		}
	}
	return w, "", false
}

func main() {
	if len(os.Args) > 1000 {
		os.Stderr.WriteString(added(os.Args))
	}
`

var (
	sameLength = []edit{{textFile, "console how the node is\",", "console how the NODE is\","}}
	longer     = []edit{{textFile, "console how the node is\",", "console how the node fares\","}}
	moreCode   = []edit{{mainFile, "\nfunc main() {", function}}
)

// changes measures what a node fetches after each kind of change.
func (b *bench) changes(ctx context.Context) error {
	base, err := b.build(ctx, "base", before, nil, "")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name          string
		edits         []edit
		with, without float64 // bars, in percent of root image and boot program; 0 for none
	}{
		{"a string changed, of the same length", sameLength, 0.5, 0},
		{"a string changed, of another length", longer, 0.5, 0},
		{"a function added to bulkhead", moreCode, 4, 20},
	} {
		next, err := b.build(ctx, "next", after, c.edits, "")
		if err == nil {
			err = b.compare(ctx, c.name, base, next, c.with, c.without)
		}
		if err != nil {
			return err
		}
	}
	return b.libraries(ctx, base)
}

// build builds the image of the default variant with edits of our programs.
func (b *bench) build(ctx context.Context, name, version string, edits []edit, lock string) (updatetest.Release, error) {
	b.progress("updates: image %s with %d changes", version, len(edits))
	r := updatetest.Release{Dir: filepath.Join(b.dir, name), Version: version}
	overlay, err := b.overlay(edits)
	if err != nil {
		return r, err
	}
	opt := image.Options{Variant: updatetest.Variant, Version: version, Out: r.Dir, Work: filepath.Join(b.dir, "work"), Lock: lock, Overlay: overlay}
	if err := image.Build(ctx, b.root, opt, b.out); err != nil {
		return r, err
	}
	var m image.Manifest
	text, err := os.ReadFile(filepath.Join(r.Dir, image.ManifestFile))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	r.RootHash = m.RootHash
	return r, errors.Join(err, os.Remove(filepath.Join(r.Dir, image.DiskFile)))
}

// overlay returns the name of a file that tells the go command about edits.
func (b *bench) overlay(edits []edit) (string, error) {
	if len(edits) == 0 {
		return "", nil
	}
	dir, err := os.MkdirTemp(b.dir, "overlay-")
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for i, e := range edits {
		file := b.root.Path(filepath.FromSlash(e.file))
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if strings.Count(string(text), e.old) != 1 {
			return "", fmt.Errorf("%s has %q %d times, want once", e.file, e.old, strings.Count(string(text), e.old))
		}
		replace[file] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(replace[file], []byte(strings.Replace(string(text), e.old, e.next, 1)), 0o644); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o644)
}

// compare measures an update with patches and without.
func (b *bench) compare(ctx context.Context, name string, from, to updatetest.Release, with, without float64) error {
	whole := int64(0)
	for _, f := range []string{image.RootFile, image.UKIFile} {
		info, err := os.Stat(filepath.Join(to.Dir, f))
		if err != nil {
			return err
		}
		whole += info.Size()
	}
	for _, way := range []struct {
		how     string
		patches bool
		bar     float64
	}{{"with patches", true, with}, {"without", false, without}} {
		b.progress("updates: %s, %s", name, way.how)
		got, err := b.fetched(ctx, way.patches, from, to)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", name, way.how, err)
		}
		share, bar := 100*float64(got)/float64(whole), ""
		if way.bar > 0 {
			bar = fmt.Sprintf("≤ %g %%", way.bar)
		}
		b.add(name+", "+way.how, bar, fmt.Sprintf("%.2f %% (%d of %d bytes)", share, got, whole), share <= way.bar)
	}
	return nil
}

// fetched returns how many bytes a node fetches for an update, metadata included.
func (b *bench) fetched(ctx context.Context, patches bool, from, to updatetest.Release) (_ int64, err error) {
	l, err := b.newLab(ctx, patches, from, to)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.Updater(ctx, "apply"); err != nil {
		return 0, err
	}
	status, err := l.Status()
	if err != nil {
		return 0, err
	}
	if status.Progress == nil {
		return 0, errors.New("the updater says nothing of its progress")
	}
	return status.Progress.Received, l.Complete(to)
}
