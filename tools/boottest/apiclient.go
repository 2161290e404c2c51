package boottest

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/api/cli"
)

// Apiclient runs apiclient as somebody elsewhere does who may do anything to the
// node, and returns what it prints.
func (n *Node) Apiclient(args ...string) (string, error) {
	n.t.Helper()
	dir, remote := n.t.TempDir(), n.API.Remote
	words := []string{"--endpoint", remote.Endpoint}
	for flag, data := range map[string][]byte{"ca": remote.CA, "cert": remote.Certificate, "key": remote.Key} {
		file := filepath.Join(dir, flag)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			n.t.Fatal(err)
		}
		words = append(words, "--"+flag, file)
	}
	var out bytes.Buffer
	cmd := cli.Command()
	cmd.SetArgs(append(words, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(n.t.Context())
	return out.String(), err
}
