// Package truststore puts together the certificates that programs of the host
// trust.
//
// These are the ones that come with the image and those of the bundles that the
// settings trust, without those of the bundles that they do not. What is wrong
// with a bundle is reported and costs nothing but the bundle.
package truststore

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// options are what the command line says.
type options struct {
	settings string
	image    string
	output   string
	health   string
}

// Command returns the program.
func Command() *cobra.Command {
	var opt options
	cmd := &cobra.Command{
		Use:   "trust-store",
		Short: "Put together the certificates that the host trusts",
		Long: `Write one file of the certificates that come with the image and of those that the
settings trust, without those that they do not.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := journallog.New(cmd.ErrOrStderr())
			return run(opt, time.Now(), log)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.Flags()
	f.StringVar(&opt.settings, "settings", "/etc/trust-store.toml", "`FILE` with the bundles of the settings")
	f.StringVar(&opt.image, "image", "/usr/share/ca-certificates/mozilla", "`DIR` with the certificates of the image")
	f.StringVar(&opt.output, "output", "/etc/ssl/certs/ca-certificates.crt", "`FILE` to write")
	f.StringVar(&opt.health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	return cmd
}

func run(opt options, now time.Time, log *slog.Logger) error {
	s, err := assemble(opt, now)
	if err == nil {
		err = write(opt.output, s.Text)
	}
	if err != nil {
		s.Faults = append(s.Faults, report.Fault{
			Severity: report.Error, Code: codeStore, Detail: err.Error(), Hint: "the trust store is the one that was there before; reboot the node",
		})
		return errors.Join(err, healthfile.WriteTo(opt.health, "trust-store", s.Faults))
	}
	for _, f := range s.Faults {
		log.Warn("a bundle is not as it should be", "fault", f.String())
	}
	log.Info("trust store", "certificates", s.Certificates, "added", s.Added, "taken out", s.Removed)
	return healthfile.WriteTo(opt.health, "trust-store", s.Faults)
}

func assemble(opt options, now time.Time) (Store, error) {
	image, err := readImage(opt.image)
	if err != nil {
		return Store{}, err
	}
	data, err := os.ReadFile(opt.settings)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Store{}, err
	}
	bundles, faults := parseBundles(data, opt.settings)
	s := Assemble(image, bundles, now)
	s.Faults = append(faults, s.Faults...)
	return s, nil
}

// readImage returns what is in the files of dir, in the order of their names.
func readImage(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".crt" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(slices.Concat(out, data), '\n')
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no certificates", dir)
	}
	return out, nil
}

func write(path string, text []byte) error {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return atomicfile.Replace(dir, filepath.Base(path), text, atomicfile.Attributes{Mode: 0o644, UID: -1, GID: -1})
}
