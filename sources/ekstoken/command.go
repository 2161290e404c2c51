package ekstoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
)

// limit is how long the kubelet waits for a token at most.
const limit = 45 * time.Second

// Command returns the program.
func Command() *cobra.Command {
	var cluster, region, profile, files string
	cmd := &cobra.Command{
		Use:   "eks-token --cluster NAME [--region REGION]",
		Short: "Prove to a cluster on EKS which role the node has",
		Long: `Print a token for the API server of a cluster on EKS, in the form in which client
programs of Kubernetes take it from programs that they start. It is signed with the key of
a profile, or else with the role of the instance, and sent nowhere.`,
		Example:      "  eks-token --cluster prod --region eu-west-1",
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("%d arguments, want none", len(args)))
			}
			if cluster == "" {
				return usage.Mistake(errors.New("name the cluster with --cluster"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), limit)
			defer cancel()
			metadata := imds.New()
			key, err := keyOf(ctx, files, profile, metadata)
			if err != nil {
				return err
			}
			if region == "" {
				if region, err = metadata.Text(ctx, "placement/region"); err != nil {
					return err
				}
			}
			token, err := Make(ctx, key, region, cluster, time.Now())
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(token)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.Flags()
	f.StringVar(&cluster, "cluster", "", "`NAME` of the cluster")
	f.StringVar(&region, "region", "", "`REGION` of AWS; that of the instance if none is named")
	f.StringVar(&profile, "profile", "default", "`PROFILE` whose key signs, where there is one")
	f.StringVar(&files, "files", "/root/.aws", "`DIR` with the files of profiles")
	return cmd
}
