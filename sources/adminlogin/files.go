package adminlogin

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Where things are in the container.
const (
	keysFile        = "/etc/ssh/authorized_keys"
	authoritiesFile = "/etc/ssh/trusted_user_ca_keys"
	serverFile      = "/etc/ssh/sshd_config"
	firstUID        = 1000
	usersGID        = 100
	apiGID          = 274 // whose members may use the API of the node
)

// A File is one that a login needs.
type File struct {
	Path string
	Mode fs.FileMode
	Text string
	More bool // the text comes behind what the file has
}

// Files returns the files for c. Keys of the host are below the directory keep.
func (c Config) Files(keep string, env []string) []File {
	locked := c.PasswordHash
	if locked == "" {
		locked = "*" // no password fits, and keys do
	}
	return []File{
		{serverFile, 0o600, c.server(keep), false},
		{keysFile, 0o644, lines(c.Keys), false},
		{authoritiesFile, 0o644, lines(c.Authorities), false},
		{"/etc/passwd", 0o644, fmt.Sprintf("%s:x:%d:%d::/home/%s:/bin/bash\n", c.User, firstUID, usersGID, c.User), true},
		{"/etc/group", 0o644, fmt.Sprintf("api:x:%d:%s\n", apiGID, c.User), true},
		{"/etc/shadow", 0o640, fmt.Sprintf("%s:%s:::::::\n", c.User, locked), true},
		{"/etc/sudoers.d/operator", 0o440, c.User + " ALL=(ALL) NOPASSWD: ALL\n", false},
		{"/etc/profile.d/proxy.sh", 0o644, proxies(env), false},
	}
}

// server returns the configuration of the server.
func (c Config) server(keep string) string {
	var b strings.Builder
	b.WriteString("# From the user data of the admin container.\nPort 22\n")
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		fmt.Fprintf(&b, "HostKey %s/etc/ssh/ssh_host_%s_key\n", keep, kind)
	}
	fmt.Fprintf(&b, "AllowUsers %s\nAuthorizedKeysFile %s\n", c.User, keysFile)
	if len(c.Authorities) > 0 {
		fmt.Fprintf(&b, "TrustedUserCAKeys %s\n", authoritiesFile)
	}
	if c.Command != "" {
		fmt.Fprintf(&b, "AuthorizedKeysCommand %s\nAuthorizedKeysCommandUser %s\n", c.Command, c.CommandUser)
	}
	for _, list := range []struct {
		name   string
		values []string
	}{{"Ciphers", c.Ciphers}, {"KexAlgorithms", c.KeyExchanges}, {"MACs", c.MACs}} {
		if len(list.values) > 0 {
			fmt.Fprintf(&b, "%s %s\n", list.name, strings.Join(list.values, ","))
		}
	}
	b.WriteString(`PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM no
UseDNS no
X11Forwarding no
PrintMotd no
Subsystem sftp internal-sftp
`)
	return b.String()
}

// proxies returns what gives shells the variables of env that say how to get out.
func proxies(env []string) string {
	var b strings.Builder
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		switch strings.ToUpper(name) {
		case "HTTPS_PROXY", "NO_PROXY":
			fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
		}
	}
	return b.String()
}

func lines(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return strings.Join(list, "\n") + "\n"
}

// Write writes files below root.
func Write(root string, files []File) error {
	for _, f := range files {
		if err := f.write(filepath.Join(root, f.Path)); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
	}
	return nil
}

func (f File) write(to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	how := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if f.More {
		how = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	file, err := os.OpenFile(to, how, f.Mode)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString(f.Text); err != nil {
		return err
	}
	return file.Chmod(f.Mode)
}
