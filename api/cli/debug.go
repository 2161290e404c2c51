package cli

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/exec"
)

func (p *program) debugCommand() *cobra.Command {
	var s session
	var superpowered bool
	cmd := &cobra.Command{
		Use:   "debug IMAGE|ARCHIVE [-- COMMAND...]",
		Short: "Run a command in a container of its own, to look into something",
		Long: `Run a command in a container that is made for it and removed when it ends. The image is
fetched by the node; an ARCHIVE is a file here with an image, as the OCI or Docker
define it, which is sent to the node and removed with the container. Without a COMMAND
the image says what runs.

The container shares the network of the node, and sees its API. With --superpowered it may
do what root on the node may do: it sees its processes, devices, and its root file
system at /.bulkhead/rootfs. Only admins may do this, and it is in the audit log.

Input, output, signals and exit status are as those of exec.`,
		Example: `  apiclient debug registry.example.org/tools/netshoot -- bash
  apiclient debug --superpowered ./admin.tar -- sheltie
  apiclient --context lab-1 debug ./tools.tar -- tcpdump -i eth0 -c 20`,
		Args: atLeast(1, "an IMAGE or an ARCHIVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			image, err := p.debugImage(cmd, args[0])
			if err != nil {
				return err
			}
			uri := "/debug?image=" + url.QueryEscape(image)
			if superpowered {
				uri += "&superpowered=1"
			}
			return p.session(cmd, s, uri, exec.Initialize{Command: commandOf(args)})
		},
	}
	s.flags(cmd)
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&superpowered, "superpowered", false, "with the rights of root on the node")
	return cmd
}

// debugImage returns the name of the image that the node knows; one in a file is
// sent to it.
func (p *program) debugImage(cmd *cobra.Command, name string) (string, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil && (strings.HasSuffix(name, ".tar") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "/")):
		return "", fmt.Errorf("read the archive: %w", err)
	case err != nil:
		return name, nil
	case !info.Mode().IsRegular():
		return "", usage("%s is not a file: an image in a directory is made one with tar", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("read the archive: %w", err)
	}
	defer f.Close()
	p.remark(cmd, "sending %s", bytesText(info.Size()))
	image, err := p.client(cmd).LoadImage(cmd.Context(), f, info.Size())
	return image.Name, err
}
