package kubelethealth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A config is a file by which clients of Kubernetes find their cluster, as far as
// ours have it.
type config struct {
	Clusters []struct {
		Cluster struct {
			Server string `yaml:"server"`
			CA     string `yaml:"certificate-authority"`
		} `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		User struct {
			Token       string `yaml:"token"`
			Certificate string `yaml:"client-certificate"`
			Exec        struct {
				Command string   `yaml:"command"`
				Args    []string `yaml:"args"`
			} `yaml:"exec"`
		} `yaml:"user"`
	} `yaml:"users"`
}

// An access is how the node reaches its cluster, and who it is there.
type access struct {
	server string
	client *http.Client
	node   string   // name, as its certificate has it
	token  string   // shown while there is no certificate
	exec   []string // gives a token
}

// access returns how the kubelet reaches the cluster, or nil where it is in none.
func (n node) access() (*access, error) {
	c, err := n.config(accessFile)
	if err != nil || c == nil {
		return nil, err
	}
	if len(c.Clusters) != 1 || len(c.Users) != 1 {
		return nil, fmt.Errorf("/%s: want one cluster and one user", accessFile)
	}
	cluster, user := c.Clusters[0].Cluster, c.Users[0].User
	a := &access{server: strings.TrimSuffix(cluster.Server, "/")}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if cluster.CA != "" {
		pem, err := n.root.ReadFile(below(cluster.CA))
		if err != nil {
			return nil, err
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("settings.kubernetes.cluster-certificate holds no certificate in PEM")
		}
	}
	a.client = client(settings)
	switch {
	case user.Exec.Command != "":
		a.exec = append([]string{user.Exec.Command}, user.Exec.Args...)
		return a, nil
	case user.Certificate == "":
		return a, nil
	}
	// The kubelet has a link with a whole path to the newest, which a root of ours
	// would not follow.
	pem, err := os.ReadFile(filepath.Join(n.root.Name(), user.Certificate))
	if errors.Is(err, fs.ErrNotExist) {
		return a, n.bootstrap(a)
	}
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(pem, pem)
	if err != nil {
		return nil, fmt.Errorf("certificate of the kubelet: %w", err)
	}
	settings.Certificates = []tls.Certificate{pair}
	if pair.Leaf != nil {
		a.node = strings.TrimPrefix(pair.Leaf.Subject.CommonName, "system:node:")
	}
	return a, nil
}

// bootstrap has a use the token that certificates are requested with, if there is
// one.
func (n node) bootstrap(a *access) error {
	c, err := n.config(bootstrapFile)
	if err == nil && c != nil && len(c.Users) == 1 {
		a.token = c.Users[0].User.Token
	}
	return err
}

func (n node) config(file string) (*config, error) {
	text, err := n.root.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c config
	if err := yaml.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("/%s is no YAML", file) // the cause may quote secrets
	}
	return &c, nil
}

// below returns the path of a file below the root of the node.
func below(path string) string { return filepath.Clean(strings.TrimPrefix(path, "/")) }

// client returns one for few requests, past all proxies.
func client(settings *tls.Config) *http.Client {
	return &http.Client{
		Timeout:       answerTime,
		Transport:     &http.Transport{Proxy: nil, TLSClientConfig: settings},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// insecure returns a client that takes any certificate: of the kubelet of this
// node, or of who is asked nothing but the time.
func insecure() *http.Client { return client(&tls.Config{InsecureSkipVerify: true}) }

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// get asks url, with more fields for the head of the request.
func get(ctx context.Context, c *http.Client, url string, head http.Header) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	for name, values := range head {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, body, err
}

// bearer returns the token that the node shows, or "".
func (n node) bearer(ctx context.Context, a *access) (string, error) {
	if len(a.exec) == 0 {
		return a.token, nil
	}
	out, err := n.command(ctx, a.exec, os.Environ())
	if err != nil {
		return "", err
	}
	var answer struct {
		Status struct {
			Token string `json:"token"`
		} `json:"status"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return "", fmt.Errorf("%s: answer is not JSON", a.exec[0])
	}
	return answer.Status.Token, nil
}

func runCommand(ctx context.Context, words, env []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = env
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%w: %s", err, oneLine(failed.Stderr))
	}
	return out, err
}

// oneLine returns what an answer says, as one line that is not too long.
func oneLine(text []byte) string {
	const most = 300
	line := strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "?")), " ")
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}
