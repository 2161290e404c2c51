package migration

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/key"
)

// A pattern is a key in which "*" stands for any one segment, as in
// settings.host-containers.*.enabled.
type pattern struct {
	segments []string
}

const wildcard = "*"

// standIn takes the place of a wildcard while package key, whose grammar has
// no "*", splits the text.
const standIn = "/any/"

func parsePattern(text string) (pattern, error) {
	if strings.Contains(text, standIn) {
		return pattern{}, fmt.Errorf("key %q holds %q, which no setting does", text, standIn)
	}
	k, err := key.Parse(strings.ReplaceAll(text, wildcard, standIn))
	if err != nil {
		return pattern{}, fmt.Errorf("%s", strings.ReplaceAll(err.Error(), standIn, wildcard))
	}
	segments := slices.Collect(k.Segments())
	for i, s := range segments {
		if s == standIn {
			segments[i] = wildcard
		} else if strings.Contains(s, standIn) {
			return pattern{}, fmt.Errorf("key %q: %q stands for a whole segment, not for a part of one", text, wildcard)
		}
	}
	if len(segments) == 0 {
		return pattern{}, fmt.Errorf("key %q names all settings, want one of them", text)
	}
	return pattern{segments}, nil
}

// wildcards returns how many segments p leaves open.
func (p pattern) wildcards() int {
	n := 0
	for _, s := range p.segments {
		if s == wildcard {
			n++
		}
	}
	return n
}

// match returns what the wildcards stand for in k, and what k has below p. It
// reports false unless k is at or below a key that p describes.
func (p pattern) match(k key.Key) (caught []string, below []string, ok bool) {
	i := 0
	for s := range k.Segments() {
		switch {
		case i >= len(p.segments):
			below = append(below, s)
		case p.segments[i] == wildcard:
			caught = append(caught, s)
		case p.segments[i] != s:
			return nil, nil, false
		}
		i++
	}
	return caught, below, i >= len(p.segments)
}

// key returns the key that p describes when its wildcards stand for caught.
func (p pattern) key(caught []string) key.Key {
	segments := slices.Clone(p.segments)
	for i, s := range segments {
		if s == wildcard {
			segments[i], caught = caught[0], caught[1:]
		}
	}
	return key.Of(segments...)
}
