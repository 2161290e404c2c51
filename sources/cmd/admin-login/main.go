// Command admin-login is the first program of the admin container.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/bulkhead-os/bulkhead/sources/adminlogin"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
)

func main() {
	err := adminlogin.Run(context.Background(), journallog.New(os.Stderr))
	fmt.Fprintln(os.Stderr, "admin-login:", err)
	os.Exit(1)
}
