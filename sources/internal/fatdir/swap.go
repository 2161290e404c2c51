package fatdir

import (
	"bytes"
	"errors"
	"fmt"
)

// contentsPlaces are the parts of a slot that say what is in a file: its times,
// where its clusters begin and how much of them counts.
const (
	contentsFirst = 14
	contentsLast  = 31
)

// Swap exchanges the contents of the files called a and b. A cut in the middle
// leaves a with the one or the other; before a has those of b, both may have those
// of a, which makes them one file.
func (d *Dir) Swap(a, b string) error {
	if err := d.swap(a, b); err != nil {
		return fmt.Errorf("swap %s and %s: %w", a, b, err)
	}
	d.parse()
	return nil
}

func (d *Dir) swap(a, b string) error {
	f, ok1 := d.Find(a)
	g, ok2 := d.Find(b)
	switch {
	case !ok1 || !ok2:
		return ErrNotExist
	case f.IsDir || g.IsDir:
		return errors.New("one is a directory")
	}
	was := bytes.Clone(d.b)
	x, y := d.slot(f.last)[contentsFirst:contentsLast+1], d.slot(g.last)[contentsFirst:contentsLast+1]
	old, next := bytes.Clone(x), bytes.Clone(y)
	copy(y, old)
	if d.sectorOf(f.last) == d.sectorOf(g.last) {
		copy(x, next)
		return d.write(was) // the point that counts
	}
	if err := d.write(was); err != nil {
		return err
	}
	was = bytes.Clone(d.b)
	copy(x, next)
	return d.write(was) // the point that counts
}
