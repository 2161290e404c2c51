// Command bulkhead-containers is the programs of a node that run containers, in
// one file. They are apart from the others because the client of containerd
// would make those larger that are resident.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/bootstrapcommands"
	"github.com/bulkhead-os/bulkhead/sources/bootstrapcontainers"
	"github.com/bulkhead-os/bulkhead/sources/containers"
	"github.com/bulkhead-os/bulkhead/sources/containerservice"
	"github.com/bulkhead-os/bulkhead/sources/hostcontainers"
	"github.com/bulkhead-os/bulkhead/sources/internal/multicall"
	"github.com/bulkhead-os/bulkhead/sources/journalexec"
	"github.com/bulkhead-os/bulkhead/sources/nodeimages"
)

var file = multicall.File{Name: "bulkhead-containers", Programs: map[string]func() *cobra.Command{
	"bootstrap-commands":   bootstrapcommands.Command,
	"bootstrap-containers": bootstrapcontainers.Command,
	"container-service":    containerservice.Command,
	"containers":           containers.Command,
	"host-containers":      hostcontainers.Command,
	"journal-exec":         journalexec.Command,
	"node-images":          nodeimages.Command,
}}

func main() { os.Exit(file.Run(os.Args, os.Stdout, os.Stderr)) }
