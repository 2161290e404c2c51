package hostcontainerd

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// A credential is what is shown to a registry.
type credential struct {
	Host     string `toml:"host"`
	Username string `toml:"username"`
	Password string `toml:"password"`
	Auth     string `toml:"auth"` // both of the above, in base64
	Token    string `toml:"identitytoken"`
}

// pair returns c as the library wants it: a token has no user.
func (c credential) pair() (user, secret string, err error) {
	switch {
	case c.Token != "":
		return "", c.Token, nil
	case c.Auth != "":
		plain, err := base64.StdEncoding.DecodeString(c.Auth)
		if err != nil {
			return "", "", fmt.Errorf("credential for %s: auth is not base64", c.Host)
		}
		user, secret, ok := strings.Cut(string(plain), ":")
		if !ok {
			return "", "", fmt.Errorf("credential for %s: auth holds no colon", c.Host)
		}
		return user, secret, nil
	}
	return c.Username, c.Password, nil
}

// readCredentials reads the credentials in file. Without file there are none.
func readCredentials(file string) ([]credential, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var content struct {
		Credentials []credential `toml:"credential"`
	}
	if err := toml.Unmarshal(data, &content); err != nil {
		return nil, fmt.Errorf("%s is not TOML", file) // the cause may quote secrets
	}
	return content.Credentials, nil
}

// ecrHost matches Amazon's registries of accounts, which are asked with the role
// of the instance.
var ecrHost = regexp.MustCompile(`^[0-9]{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn|[a-z0-9.]+)$`)

// ecrHelper turns the role of the instance into credentials. It is a program of
// others, spoken to as the kubelet does.
const ecrHelper = "/usr/libexec/kubernetes/kubelet/plugins/ecr-credential-provider"

// ecrPatience is how long the helper may take.
const ecrPatience = 30 * time.Second

// Those that are in the image of a node are found; others have none.
func (c *Client) ecrCredential(ctx context.Context, host, image string) (user, secret string, err error) {
	ctx, cancel := context.WithTimeout(ctx, ecrPatience)
	defer cancel()
	request, err := json.Marshal(map[string]string{
		"apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest", "image": image,
	})
	if err != nil {
		return "", "", err
	}
	cmd := exec.CommandContext(ctx, c.path(ecrHelper))
	cmd.Stdin = strings.NewReader(string(request))
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("ask %s for credentials of %s: %w", filepath.Base(ecrHelper), host, err)
	}
	var answer struct {
		Auth map[string]struct{ Username, Password string } `json:"auth"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return "", "", fmt.Errorf("%s: answer for %s is not JSON", filepath.Base(ecrHelper), host)
	}
	for pattern, auth := range answer.Auth {
		if ok, _ := filepath.Match(pattern, host); ok {
			return auth.Username, auth.Password, nil
		}
	}
	return "", "", fmt.Errorf("%s has no credentials for %s", filepath.Base(ecrHelper), host)
}
