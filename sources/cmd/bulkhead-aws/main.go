// Command bulkhead-aws is the programs of a node that ask AWS, in one file. They
// start, ask and end; what it takes to sign requests is in no resident program.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/awssettings"
	"github.com/bulkhead-os/bulkhead/sources/ekstoken"
	"github.com/bulkhead-os/bulkhead/sources/internal/multicall"
)

var file = multicall.File{Name: "bulkhead-aws", Programs: map[string]func() *cobra.Command{
	"aws-settings": awssettings.Command,
	"eks-token":    ekstoken.Command,
}}

func main() { os.Exit(file.Run(os.Args, os.Stdout, os.Stderr)) }
