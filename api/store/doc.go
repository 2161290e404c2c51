// Package store keeps the settings of a node and their history.
//
// The store holds the user layer as generations: each commit adds one, with
// the whole document, its parent, who made it and why. Beside them it holds
// the generated layer and the transactions that are not committed yet. It
// knows no settings: Options.Evaluate says what a document means and whether
// it is acceptable.
//
// # What a caller may rely on
//
// A change is made by one bbolt transaction. When a method has returned nil
// the change lasts, also through a power cut; when it has returned an error
// the change is not there and will not come back. Reading the current settings
// takes no lock and never waits for the disk.
//
// A commit with CommitRequest.Try reverts by itself unless it is confirmed in
// time. The time is counted by the clock that runs since boot, so that setting
// the wall clock changes nothing, and a reboot ends it.
//
// # In the state directory
//
//	settings.db             generations, generated values, the try (bbolt)
//	settings.toml           plain copy of the last good generation
//	settings.db.corrupt-*   damaged databases that were set aside, at most three
//	pending/NAME            one open transaction each; lost by a reboot, as meant
//
// The directory belongs to one process at a time. A damaged database is set
// aside, and what can be read of it, with the plain copy, makes a new one.
package store
