package containerregistry

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A Credential is what the host shows to a registry.
type Credential struct {
	// The registry that the credential is for, as it stands in image names.
	// docker.io stands for all names of that registry.
	Registry *scalar.SingleLine `setting:"registry"`

	// The name of the user.
	Username *scalar.SingleLine `setting:"username"`

	// The password of the user.
	Password *scalar.Secret[scalar.SingleLine] `setting:"password"`

	// User name and password in one, as in a Docker configuration file: the base64
	// form of "username:password".
	Auth *scalar.Secret[scalar.Base64] `setting:"auth"`

	// A token to exchange for access, in place of a password. It is not used for
	// the tasks of ECS.
	IdentityToken *scalar.Secret[scalar.SingleLine] `setting:"identitytoken"`
}

func checkCredentials(credentials []Credential, p report.Place) {
	seen := map[string]int{}
	for i, c := range credentials {
		at := p.In(fmt.Sprintf("credentials[%d]", i))
		c.check(at)
		if c.Registry == nil || c.Registry.String() == "" {
			at.Warn("registry", nil, "the credential names no registry, so it is not used", "set registry to the one that asks for it")
			continue
		}
		name := canonicalRegistry(c.Registry.String())
		if first, dup := seen[name]; dup {
			at.Conflict("registry", c.Registry.String(),
				fmt.Sprintf("%s has a credential in credentials[%d] already", c.Registry, first),
				"keep one credential for a registry")
			continue
		}
		seen[name] = i
	}
}

// canonicalRegistry maps the names of Docker Hub to one: consumers write
// docker.io as registry-1.docker.io.
func canonicalRegistry(name string) string {
	if name == "registry-1.docker.io" {
		return "docker.io"
	}
	return name
}

// check reports what is missing from c or said twice. An empty value counts as
// none. No detail tells a secret.
func (c *Credential) check(p report.Place) {
	user := c.Username != nil && c.Username.String() != ""
	password := c.Password != nil && c.Password.Reveal().String() != ""
	token := c.IdentityToken != nil && c.IdentityToken.Reveal().String() != ""
	auth := c.Auth != nil && c.Auth.Reveal().String() != ""
	switch {
	case password && !user:
		p.Missing("username", "password is set and username is not", "set username as well")
	case user && !password && !auth && !token:
		p.Warn("password", nil,
			"username is "+c.Username.String()+" and there is no password, auth or identitytoken, so the registry is asked without credentials",
			"set password")
	case !user && !auth && !token:
		p.Warn("auth", nil, "the credential holds nothing to show to a registry",
			"set username and password, auth, or identitytoken")
	}
	if auth {
		c.checkAuth(p, user, password)
	}
}

// checkAuth compares auth with the user name and password beside it, where
// there are. Saying the same twice is harmless, as Docker's own files do; where
// the two differ, consumers disagree about which of them counts.
func (c *Credential) checkAuth(p report.Place, hasUser, hasPassword bool) {
	user, password, found := strings.Cut(string(c.Auth.Reveal().Decoded()), ":")
	switch {
	case !found:
		p.Warn("auth", nil, "auth holds no colon once it is decoded, so it is no user name and password",
			`want the base64 form of "username:password"`)
	case hasUser && c.Username.String() != user:
		p.Conflict("auth", nil, "username is "+c.Username.String()+" and auth is for another user",
			"set either auth, or username and password")
	case hasPassword && c.Password.Reveal().String() != password:
		p.Conflict("auth", nil, "password is not the one in auth",
			"set either auth, or username and password")
	}
}
