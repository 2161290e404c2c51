package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

// localVariant returns the variant called name. An empty name stands for the
// variant of the system this runs on, if it is one of ours.
func localVariant(name string) (*variant.Variant, error) {
	names, err := variant.Names(variants.Files)
	if err != nil {
		return nil, err
	}
	hint := "variants: " + strings.Join(names, ", ")
	if name == "" {
		if name = osVariant("/etc/os-release"); !slices.Contains(names, name) {
			return nil, &UsageError{Err: fmt.Errorf("want --variant NAME"), Hint: hint}
		}
	}
	if !slices.Contains(names, name) {
		return nil, &UsageError{Err: fmt.Errorf("there is no variant %q", name), Hint: hint}
	}
	return variant.Load(variants.Files, name)
}

// osVariant returns the VARIANT_ID in the os-release file at path, or "".
func osVariant(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VARIANT_ID="); ok {
			return strings.Trim(v, `"'`)
		}
	}
	return ""
}

// nodeVariant returns the variant of the node behind api.
func nodeVariant(ctx context.Context, api *client.Client) (*variant.Variant, error) {
	facts, err := api.OS(ctx, "variant_id")
	if err != nil {
		return nil, err
	}
	name, _ := facts["variant_id"].(string)
	v, err := variant.Load(variants.Files, name)
	if err != nil {
		return nil, &hinted{
			fmt.Errorf("this apiclient does not know the node's variant: %w", err),
			"apiclient schema without a KEY prints what the node itself says",
		}
	}
	return v, nil
}
