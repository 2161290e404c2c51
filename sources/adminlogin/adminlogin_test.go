package adminlogin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/adminlogin"
)

const (
	key   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8H5NjbJ3ZQXqkkPzXo3vM4hZ0h1lW0Qz0m9Zk9b0bC somebody@example"
	limit = `command="/bin/true",no-pty ` + key
)

func TestParse(t *testing.T) {
	tests := []struct {
		name   string
		text   string
		want   adminlogin.Config
		faults []string
		err    string
	}{
		{name: "nothing", text: `{}`, want: adminlogin.Config{User: "ec2-user"}},
		{
			name: "all",
			text: `{"user": "ops", "password-hash": "$6$ab$cd", "ssh": {"authorized-keys": ["` + key + `"], "trusted-user-ca-keys": ["` + key + `"],
				"authorized-keys-command": "/opt/aws/bin/eic_run_authorized_keys %u %f", "authorized-keys-command-user": "ec2-instance-connect",
				"ciphers": ["aes256-gcm@openssh.com"], "key-exchange-algorithms": ["sntrup761x25519-sha512"], "macs": ["hmac-sha2-512"]}}`,
			want: adminlogin.Config{
				User: "ops", PasswordHash: "$6$ab$cd", Keys: []string{key}, Authorities: []string{key},
				Command: "/opt/aws/bin/eic_run_authorized_keys %u %f", CommandUser: "ec2-instance-connect",
				Ciphers: []string{"aes256-gcm@openssh.com"}, KeyExchanges: []string{"sntrup761x25519-sha512"}, MACs: []string{"hmac-sha2-512"},
			},
		},
		{
			name: "underscores", text: `{"ssh": {"authorized_keys": ["` + key + `"], "authorized_keys_command": "/bin/keys"}}`,
			want: adminlogin.Config{User: "ec2-user", Keys: []string{key}, Command: "/bin/keys", CommandUser: "nobody"},
		},
		{
			name: "not usable",
			text: `{"user": "Root", "password-hash": "a:b", "ssh": {"authorized-keys": ["junk", "` + key + `", "` + key + `\n` + key + `"],
				"authorized-keys-command": "/bin/keys\nPermitRootLogin yes", "ciphers": ["aes", "none\nPermitRootLogin yes"]}}`,
			want: adminlogin.Config{User: "ec2-user", Keys: []string{key}},
			faults: []string{
				"user is not usable", "password-hash is not usable", "ssh.authorized-keys: number 1 is not a key", "ssh.authorized-keys: number 3 is not a key",
				"ssh.authorized-keys-command is not usable", `ssh.ciphers: "none\nPermitRootLogin yes" is not the name of an algorithm`,
			},
		},
		{name: "not JSON", text: `secret`, err: "user data is not a JSON object"},
		{name: "a list", text: `[]`, err: "user data is not a JSON object"},
		{name: "ssh is a list", text: `{"ssh": []}`, err: "user data: ssh is not an object"},
		{name: "a wrong type", text: `{"ssh": {"ciphers": "secret"}}`, err: "user data holds something of the wrong type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, faults, err := adminlogin.Parse([]byte(tt.text))
			var texts []string
			for _, f := range faults {
				texts = append(texts, f.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse(%s) (-want +got):\n%s", tt.text, diff)
			}
			if diff := cmp.Diff(tt.faults, texts); diff != "" {
				t.Errorf("faults of %s (-want +got):\n%s", tt.text, diff)
			}
			if text := ""; err != nil && err.Error() != tt.err || err == nil && tt.err != text {
				t.Errorf("error of %s: %v, want %q", tt.text, err, tt.err)
			}
		})
	}
}

// Whatever user data says, no line of the server's configuration comes from it
// but those that it is for.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"user": "ops", "ssh": {"authorized-keys": ["` + key + `"], "ciphers": ["a"], "authorized-keys-command": "/a b"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, _, err := adminlogin.Parse(text)
		if err != nil {
			return
		}
		for _, file := range c.Files("/keep", nil) {
			if !strings.HasSuffix(file.Path, "sshd_config") {
				continue
			}
			for line := range strings.Lines(file.Text) {
				word, _, _ := strings.Cut(line, " ")
				if word == "PermitRootLogin" && line != "PermitRootLogin no\n" || word == "PasswordAuthentication" && line != "PasswordAuthentication no\n" {
					t.Errorf("user data %q leads to the line %q", text, line)
				}
			}
			if n := strings.Count(file.Text, "\n"); n > 21 {
				t.Errorf("user data %q leads to %d lines:\n%s", text, n, file.Text)
			}
		}
	})
}

// Files are written in place of those that are there, or behind what they have.
func TestWrite(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/bash\n", "etc/ssh/sshd_config": "Port 2222\n"} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := adminlogin.Config{User: "ops", Keys: []string{key, limit}, Authorities: []string{key}, Ciphers: []string{"a", "b"}}
	if err := adminlogin.Write(root, c.Files("/keep", []string{"HTTPS_PROXY=http://p'q", "SECRET=x"})); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/bash\nops:x:1000:100::/home/ops:/bin/bash\n",
		"etc/group":  "api:x:274:ops\n", "etc/shadow": "ops:*:::::::\n", "etc/sudoers.d/operator": "ops ALL=(ALL) NOPASSWD: ALL\n",
		"etc/ssh/authorized_keys": key + "\n" + limit + "\n", "etc/ssh/trusted_user_ca_keys": key + "\n",
		"etc/profile.d/proxy.sh": "export HTTPS_PROXY='http://p'\\''q'\n",
		"etc/ssh/sshd_config": `# From the user data of the admin container.
Port 22
HostKey /keep/etc/ssh/ssh_host_rsa_key
HostKey /keep/etc/ssh/ssh_host_ecdsa_key
HostKey /keep/etc/ssh/ssh_host_ed25519_key
AllowUsers ops
AuthorizedKeysFile /etc/ssh/authorized_keys
TrustedUserCAKeys /etc/ssh/trusted_user_ca_keys
Ciphers a,b
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM no
UseDNS no
X11Forwarding no
PrintMotd no
Subsystem sftp internal-sftp
`,
	}
	got := map[string]string{}
	for name := range want {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
		}
		got[name] = string(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
