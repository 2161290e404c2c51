// Command aws-settings finds settings of a node on Amazon EC2 while it boots.
package main

import (
	"github.com/bulkhead-os/bulkhead/sources/awssettings"
	"github.com/bulkhead-os/bulkhead/sources/internal/multicall"
)

func main() { multicall.Main("aws-settings", awssettings.Command()) }
