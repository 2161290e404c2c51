package debtree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// Older returns those of packages that the archive also has in an older version, with
// the newest of these: what was there before a security update has replaced it. It is
// asked anew each time, because such versions go with each point release of Debian.
func (t Tree) Older(ctx context.Context, packages Record) (_ Record, err error) {
	dir, err := os.MkdirTemp("", "debtree-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := t.index(ctx, dir); err != nil {
		return nil, err
	}
	words := append([]string{"apt-cache"}, aptOptions(dir)...)
	words = append(words, "show")
	for _, p := range packages {
		words = append(words, p.Name)
	}
	text, err := run.Command{Args: words, Env: aptEnvironment}.Output(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for older versions: %w", err)
	}
	all, err := parseIndex(string(text))
	if err != nil {
		return nil, err
	}
	var out Record
	for _, p := range packages {
		old := Package{}
		for _, o := range all {
			if o.Name != p.Name || !before(ctx, o.Version, p.Version) || old.Version != "" && !before(ctx, old.Version, o.Version) {
				continue
			}
			old = o
		}
		if old.Version != "" {
			out = append(out, old)
		}
	}
	return out, nil
}

// before reports whether a is an older version than b.
func before(ctx context.Context, a, b string) bool {
	return run.Command{Args: []string{"dpkg", "--compare-versions", a, "lt", b}}.Run(ctx) == nil
}

// parseIndex reads what the archive says of packages, one paragraph for each.
func parseIndex(text string) (Record, error) {
	var out Record
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		f := map[string]string{}
		for line := range strings.Lines(paragraph) {
			if name, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") {
				f[name] = strings.TrimSpace(value)
			}
		}
		size, err := strconv.ParseInt(f["Size"], 10, 64)
		if err != nil || f["Package"] == "" || f["Version"] == "" || f["SHA256"] == "" {
			return nil, fmt.Errorf("what the archive says is not understood: %.80q", paragraph)
		}
		source, version, own := strings.Cut(cmp.Or(f["Source"], f["Package"]), " ")
		version = strings.Trim(version, "()")
		if !own {
			version = f["Version"]
		}
		p := Package{Name: f["Package"], Version: f["Version"], Arch: f["Architecture"], Source: source + " " + version, SHA256: f["SHA256"], Size: size}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}
