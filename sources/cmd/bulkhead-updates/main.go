// Command bulkhead-updates is the updater of a node in a file of its own: what it
// needs to verify and unpack updates stays out of programs that run all the time.
package main

import (
	_ "time/tzdata" // for the time zone of the window: images have none

	"github.com/bulkhead-os/bulkhead/sources/internal/multicall"
	"github.com/bulkhead-os/bulkhead/sources/updater"
)

func main() { multicall.Main("updater", updater.Command()) }
