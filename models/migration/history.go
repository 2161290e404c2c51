package migration

import (
	_ "embed" // history.toml
	"fmt"
)

//go:embed history.toml
var history []byte

// HistoryFile is the name, in the directory of the image that has migrations, of
// those that History returns.
const HistoryFile = "settings.toml"

// History returns the migrations of all releases, up to the format that this
// program works with.
func History() Set {
	s, rep := Parse("history.toml", history)
	if err := rep.Err(); err != nil {
		panic("migration: " + err.Error()) // a test sees to it
	}
	return s
}

// HistoryTOML returns what History is read from, as images carry it.
func HistoryTOML() []byte { return history }

// Complete returns an error unless s leads from the first format on, so that no node
// is too old for it.
func (s Set) Complete() error {
	if oldest, _ := s.Formats(); oldest > 1 {
		return fmt.Errorf("the migrations begin with format %d, want all from format 2 on: nodes may have the settings of any release", oldest+1)
	}
	return nil
}

// Newest returns the format that s leads to; without migrations it is 1, the first.
func (s Set) Newest() int {
	_, newest := s.Formats()
	return max(newest, 1)
}
