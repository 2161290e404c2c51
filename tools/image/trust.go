package image

import (
	"context"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// Where certificates of authorities come from, and where programs look for them.
const (
	trustProgram = "/usr/bin/trust-store"
	certificates = "/usr/share/ca-certificates/mozilla"
	trustFile    = "/etc/ssl/certs/ca-certificates.crt"
)

// addTrustStore adds the trust store that nodes have until settings change it, made
// by the program that makes it there.
func (b *builder) addTrustStore(ctx context.Context) error {
	if !b.contents.has(trustProgram) {
		return nil
	}
	dir := b.temp("trust-store")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, filepath.Base(trustFile))
	program := run.Command{Args: []string{
		b.temp("programs/bulkhead"), filepath.Base(trustProgram), "--settings", filepath.Join(dir, "none"),
		"--image", filepath.Join(b.debian.Dir, certificates), "--output", file, "--health", filepath.Join(dir, "health"),
	}}
	if err := program.Run(ctx); err != nil {
		return err
	}
	return b.contents.copy(trustFile, file)
}
