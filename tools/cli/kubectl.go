package cli

import (
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/kubernetes"
	"github.com/bulkhead-os/bulkhead/tools/up"
)

func kubectlCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "kubectl [--cluster NAME] [ARG...]",
		Short: "Run kubectl for a cluster that up made",
		Long: "Run the kubectl of the version of Kubernetes that a cluster is of, with what reaches its\n" +
			"control plane on this computer. The first time builds it. What follows the name of the\n" +
			"cluster is kubectl's.",
		Example: "  shipyard kubectl get nodes\n  shipyard kubectl --cluster test get pods -A",
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			config, err := up.Kubeconfig(root, name)
			if err != nil {
				return err
			}
			minor, err := up.Minor(root, name)
			if err != nil {
				return err
			}
			r, err := kubernetes.New(root, minor)
			if err != nil {
				return err
			}
			bin, err := r.Build(cmd.Context(), "kubectl", cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			// In place of this program: signals, the terminal and the status are its own.
			return syscall.Exec(bin, append([]string{"kubectl"}, args...), append(os.Environ(), "KUBECONFIG="+config))
		},
	}
	clusterFlag(cmd, &name)
	cmd.Flags().SetInterspersed(false)
	return cmd
}
