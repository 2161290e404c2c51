// Command initrd is /init of the initial RAM disk. It is a program of its own
// because each start of a node loads and unpacks it whole.
package main

import (
	"fmt"
	"os"

	"github.com/bulkhead-os/bulkhead/sources/initrd"
)

func main() {
	fmt.Fprintln(os.Stderr, "initrd:", initrd.Run(os.Args[1:]))
	os.Exit(1)
}
