package updatebench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/updatetest"
)

// favourites are sources of libraries that programs of the image use and that security
// updates are common of; others are taken where Debian has not updated these lately.
var favourites = []string{"openssl", "pcre2", "zlib"}

// many is how many libraries are updated.
const many = 3

// libraries measures an update of three libraries: from the image as it would be with the
// versions that the archive still has from before to the image as it is.
func (b *bench) libraries(ctx context.Context, base updatetest.Release) error {
	const name = "update of three libraries"
	var lock image.Lock
	text, err := os.ReadFile(filepath.Join(base.Dir, image.LockFile))
	if err == nil {
		err = json.Unmarshal(text, &lock)
	}
	if err != nil {
		return err
	}
	b.progress("updates: which libraries have older versions")
	older, err := debtree.Tree{Suite: lock.Suite}.Older(ctx, lock.Debian)
	if err != nil {
		return err
	}
	chosen, names := choose(lock.Debian, older)
	if len(names) < many {
		b.add(name, "≤ 4 %", fmt.Sprintf("not measured: the archive has older versions of %d libraries of the image (%s), want %d; name one that keeps them with %s",
			len(names), strings.Join(names, ", "), many, debtree.MirrorVariable), false)
		return nil
	}
	for i, p := range lock.Debian {
		if k := slices.IndexFunc(chosen, func(o debtree.Package) bool { return o.Name == p.Name }); k >= 0 {
			lock.Debian[i] = chosen[k]
		}
	}
	if text, err = json.Marshal(lock); err != nil {
		return err
	}
	file := filepath.Join(b.dir, "lock.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	old, err := b.build(ctx, "old", earlier, nil, file)
	if errors.Is(err, debtree.ErrGone) {
		b.add(name, "≤ 4 %", "not measured: the archive has packages of the image no more as they are; make the image of today first, with shipyard build --update", false)
		return nil
	}
	if err != nil {
		return err
	}
	return b.compare(ctx, "three libraries updated ("+strings.Join(names, ", ")+")", old, base, 4, 10)
}

// choose returns the older packages of three sources that make libraries and nothing
// else of an image, and the names of these sources.
func choose(now, older debtree.Record) (chosen debtree.Record, names []string) {
	bySource := map[string]debtree.Record{}
	for _, p := range older {
		bySource[sourceOf(p)] = append(bySource[sourceOf(p)], p)
	}
	candidates := slices.Clone(favourites)
	for _, p := range older {
		if s := sourceOf(p); !slices.Contains(candidates, s) && onlyLibraries(now, s) {
			candidates = append(candidates, s)
		}
	}
	for _, s := range candidates {
		if len(names) < many && len(bySource[s]) > 0 {
			chosen, names = append(chosen, bySource[s]...), append(names, s)
		}
	}
	return chosen, names
}

func onlyLibraries(packages debtree.Record, source string) bool {
	return !slices.ContainsFunc(packages, func(p debtree.Package) bool { return sourceOf(p) == source && !strings.HasPrefix(p.Name, "lib") })
}

func sourceOf(p debtree.Package) string {
	name, _, _ := strings.Cut(p.Source, " ")
	return name
}
