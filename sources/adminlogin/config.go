// Package adminlogin lets operators log in to the admin container by SSH.
//
// What the user data of the container says becomes the files of a server and of
// one user, and then this program becomes the server. Without user data nobody
// can log in, and the container stays for those who come through the API.
package adminlogin

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"
)

// DefaultUser is who logs in where nobody else is named.
const DefaultUser = "ec2-user"

// A Config is what user data says. What could not be used of it is left out.
type Config struct {
	User         string
	PasswordHash string   // for consoles only
	Keys         []string // that may log in
	Authorities  []string // whose certificates may log in
	Command      string   // that is asked for more keys
	CommandUser  string
	Ciphers      []string
	KeyExchanges []string
	MACs         []string
}

// CanLogIn reports whether there is a way to log in.
func (c Config) CanLogIn() bool { return len(c.Keys)+len(c.Authorities) > 0 || c.Command != "" }

// sshData and userData are user data as it is written. Names are with hyphens;
// fold takes those with underscores to them.
type sshData struct {
	Keys         []string `json:"authorized-keys"`
	Authorities  []string `json:"trusted-user-ca-keys"`
	Command      string   `json:"authorized-keys-command"`
	CommandUser  string   `json:"authorized-keys-command-user"`
	Ciphers      []string `json:"ciphers"`
	KeyExchanges []string `json:"key-exchange-algorithms"`
	MACs         []string `json:"macs"`
}

type userData struct {
	User         string  `json:"user"`
	PasswordHash string  `json:"password-hash"`
	SSH          sshData `json:"ssh"`
}

var (
	userPattern      = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	hashPattern      = regexp.MustCompile(`^[A-Za-z0-9./$,=+-]+$`)
	algorithmPattern = regexp.MustCompile(`^[A-Za-z0-9@.+-]+$`)
	commandPattern   = regexp.MustCompile(`^/[^\x00-\x1f\x7f#"'\\]*$`)
)

// Parse reads user data. It returns what is wrong with parts of it, which it
// leaves out, and an error when nothing of it can be read.
func Parse(text []byte) (Config, []error, error) {
	var any map[string]json.RawMessage
	if err := json.Unmarshal(text, &any); err != nil {
		return Config{}, nil, errors.New("user data is not a JSON object") // the cause may quote secrets
	}
	folded, err := fold(any)
	if err != nil {
		return Config{}, nil, err
	}
	var data userData
	if err := json.Unmarshal(folded, &data); err != nil {
		return Config{}, nil, errors.New("user data holds something of the wrong type")
	}
	c, faults := data.config()
	return c, faults, nil
}

// fold returns the object with hyphens in the names of its members, and of those
// of its member ssh.
func fold(object map[string]json.RawMessage) ([]byte, error) {
	out := map[string]json.RawMessage{}
	for name, value := range object {
		name = strings.ReplaceAll(name, "_", "-")
		if name == "ssh" {
			var inner map[string]json.RawMessage
			if err := json.Unmarshal(value, &inner); err != nil {
				return nil, errors.New("user data: ssh is not an object")
			}
			var err error
			if value, err = fold(inner); err != nil {
				return nil, err
			}
		}
		out[name] = value
	}
	return json.Marshal(out)
}

func (d userData) config() (Config, []error) {
	var faults []error
	text := func(what, s string, pattern *regexp.Regexp) string {
		if s == "" || pattern.MatchString(s) {
			return s
		}
		faults = append(faults, fmt.Errorf("%s is not usable", what))
		return ""
	}
	texts := func(what string, list []string) []string {
		for _, s := range list {
			if !algorithmPattern.MatchString(s) {
				faults = append(faults, fmt.Errorf("%s: %.40q is not the name of an algorithm", what, s))
				return nil // some of them might be weaker than meant
			}
		}
		return list
	}
	keys := func(what string, list []string) (good []string) {
		for i, s := range list {
			s = strings.TrimSpace(s)
			if _, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(s)); err != nil || len(rest) > 0 || strings.ContainsAny(s, "\n\r\x00") {
				faults = append(faults, fmt.Errorf("%s: number %d is not a key", what, i+1))
				continue
			}
			good = append(good, s)
		}
		return good
	}
	c := Config{
		User:         text("user", d.User, userPattern),
		PasswordHash: text("password-hash", d.PasswordHash, hashPattern),
		Keys:         keys("ssh.authorized-keys", d.SSH.Keys),
		Authorities:  keys("ssh.trusted-user-ca-keys", d.SSH.Authorities),
		Command:      text("ssh.authorized-keys-command", d.SSH.Command, commandPattern),
		CommandUser:  text("ssh.authorized-keys-command-user", d.SSH.CommandUser, userPattern),
		Ciphers:      texts("ssh.ciphers", d.SSH.Ciphers),
		KeyExchanges: texts("ssh.key-exchange-algorithms", d.SSH.KeyExchanges),
		MACs:         texts("ssh.macs", d.SSH.MACs),
	}
	if c.User == "" {
		c.User = DefaultUser
	}
	if c.Command != "" && c.CommandUser == "" {
		c.CommandUser = "nobody"
	}
	return c, faults
}
