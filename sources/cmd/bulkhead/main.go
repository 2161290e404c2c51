// Command bulkhead is the programs of a node in one file. It runs the one that
// it is called by the name of, or that its first argument names; without
// either it lists them.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/apiserver"
	"github.com/bulkhead-os/bulkhead/sources/apply"
	"github.com/bulkhead-os/bulkhead/sources/auditverify"
	"github.com/bulkhead-os/bulkhead/sources/bootsettings"
	"github.com/bulkhead-os/bulkhead/sources/bootslot"
	"github.com/bulkhead-os/bulkhead/sources/console"
	"github.com/bulkhead-os/bulkhead/sources/crash"
	"github.com/bulkhead-os/bulkhead/sources/disknames"
	"github.com/bulkhead-os/bulkhead/sources/generate"
	"github.com/bulkhead-os/bulkhead/sources/internal/multicall"
	"github.com/bulkhead-os/bulkhead/sources/kernelsettings"
	"github.com/bulkhead-os/bulkhead/sources/kubelethealth"
	"github.com/bulkhead-os/bulkhead/sources/networkconfig"
	"github.com/bulkhead-os/bulkhead/sources/power"
	"github.com/bulkhead-os/bulkhead/sources/provision"
	"github.com/bulkhead-os/bulkhead/sources/storage"
	"github.com/bulkhead-os/bulkhead/sources/truststore"
)

var file = multicall.File{Name: "bulkhead", Programs: map[string]func() *cobra.Command{
	"apiserver":       apiserver.Command,
	"apply":           apply.Command,
	"audit-verify":    auditverify.Command,
	"boot-settings":   bootsettings.Command,
	"boot-slot":       bootslot.Command,
	"console-status":  console.Command,
	"disk-names":      disknames.Command,
	"crash-report":    crash.Command,
	"generate":        generate.Command,
	"kernel-settings": kernelsettings.Command,
	"kubelet-health":  kubelethealth.Command,
	"network-config":  networkconfig.Command,
	"power":           power.Command,
	"provision":       provision.Command,
	"storage":         storage.Command,
	"trust-store":     truststore.Command,
}}

func main() { os.Exit(file.Run(os.Args, os.Stdout, os.Stderr)) }
