// Package variants holds the definition of every variant of Bulkhead: one TOML
// file each, and fragments of default settings that several of them share.
//
// It is a module of its own, without code, because a program can embed only
// files below its own directory, and these belong to the image as much as to
// the programs.
package variants

import "embed"

// Files holds the variants as NAME.toml, and the shared fragments below shared.
//
//go:embed *.toml shared/*.toml
var Files embed.FS
