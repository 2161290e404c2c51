package controlplane

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
)

//go:embed manifests/network.yaml
var networkManifest string

//go:embed manifests/dns.yaml
var dnsManifest string

// Images are those of what runs in each cluster.
type Images struct {
	Network string // see recipe.Network
	DNS     string
}

// AddNetwork has nodes run what connects pods with each other and with services,
// and resolves their names.
func (c *ControlPlane) AddNetwork(ctx context.Context, images Images) error {
	for _, m := range []struct{ text, image string }{{networkManifest, images.Network}, {dnsManifest, images.DNS}} {
		text := strings.NewReplacer(
			"@SERVER@", fmt.Sprintf("https://%s:%d", c.opt.Address, c.Port), "@PODS@", PodCIDR, "@DNS@", DNS, "@DOMAIN@", Domain, "@IMAGE@", m.image,
		).Replace(m.text)
		if err := c.Client.Apply(ctx, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}
