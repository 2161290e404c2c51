// Package nodeimages gives the containerd of the orchestrator the images of
// containers that came with the operating system.
//
// They are pinned: the orchestrator does not remove them when space runs out, as
// it could not fetch them again.
package nodeimages

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	logging "github.com/containerd/log"
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

const (
	socket    = "/run/containerd/containerd.sock"
	namespace = "k8s.io"
	// patience is how long containerd may take to answer for the first time.
	patience = time.Minute
)

// pinned says to the CRI plugin that an image is not to be removed.
var pinned = map[string]string{"io.cri-containerd.pinned": "pinned"}

// Command returns the program.
func Command() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "node-images DIR",
		Short: "Import the images of containers that came with the operating system",
		Long: `Import the archives with images in DIR into the containerd of the orchestrator, and pin
them. What it has already is left as it is.`,
		Example:      "  node-images /usr/share/bulkhead/images/kubernetes",
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Mistake(fmt.Errorf("%d arguments, want one: DIR", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return importAll(cmd.Context(), at, args[0], journallog.New(cmd.ErrOrStderr()))
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	cmd.Flags().StringVar(&at, "socket", socket, "`SOCKET` of containerd")
	return cmd
}

// importAll imports the archives of dir.
func importAll(ctx context.Context, at, dir string, log *slog.Logger) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.tar"))
	if err != nil || len(files) == 0 {
		return err
	}
	if err := logging.SetLevel("warn"); err != nil {
		return err
	}
	c, err := containerd.New(at, containerd.WithDefaultNamespace(namespace), containerd.WithTimeout(patience))
	if err != nil {
		return fmt.Errorf("connect to containerd: %w", err)
	}
	defer c.Close()
	for _, file := range files {
		if err := importOne(ctx, c, file, log); err != nil {
			return fmt.Errorf("import %s: %w", file, err)
		}
	}
	return nil
}

func importOne(ctx context.Context, c *containerd.Client, file string, log *slog.Logger) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	images, err := c.Import(ctx, f, containerd.WithImageLabels(pinned))
	if err != nil {
		return err
	}
	for _, i := range images {
		log.Info("image is here", "image", i.Name, "digest", i.Target.Digest.String())
	}
	return nil
}
