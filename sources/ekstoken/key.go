package ekstoken

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/program"
	"github.com/bulkhead-os/bulkhead/sources/platform"
	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
)

// patience is how long a program that gives a key may take.
const patience = 30 * time.Second

// A profile is one of the files that settings.aws gives: names and values.
type profile map[string]string

// keyOf returns the key of the profile in the files of dir, or else that of the
// role of the instance. The files are for nodes that are not on EC2.
func keyOf(ctx context.Context, dir, name string, metadata *imds.Client) (imds.Key, error) {
	p, err := readProfile(dir, name)
	if err != nil {
		return imds.Key{}, err
	}
	switch {
	case p["aws_access_key_id"] != "":
		return imds.Key{ID: p["aws_access_key_id"], Secret: p["aws_secret_access_key"], Token: p["aws_session_token"]}, nil
	case p["credential_process"] != "":
		return ofProcess(ctx, p["credential_process"])
	case p["role_arn"] != "" || p["sso_start_url"] != "" || p["sso_session"] != "":
		return imds.Key{}, fmt.Errorf("profile %s has no key: want aws_access_key_id or credential_process in it", name)
	}
	var key imds.Key
	err = platform.Retry(ctx, func(ctx context.Context) error {
		key, err = metadata.Role(ctx)
		return err
	})
	return key, err
}

// readProfile reads what both files of AWS say of the profile called name.
// Without the files, or the profile, there is nothing.
func readProfile(dir, name string) (profile, error) {
	all := profile{}
	for file, section := range map[string]string{"credentials": name, "config": "profile " + name} {
		if name == "default" {
			section = name
		}
		text, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all.read(string(text), section)
	}
	return all, nil
}

// read adds what a section of text says. Lines that begin with a blank belong to
// values that are tables, of which none is of use here.
func (p profile) read(text, section string) {
	within := false
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[' && strings.HasSuffix(trimmed, "]"):
			within = strings.Join(strings.Fields(trimmed[1:len(trimmed)-1]), " ") == section
		case within && line[0] != ' ' && line[0] != '\t':
			if key, value, ok := strings.Cut(trimmed, "="); ok {
				p[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
			}
		}
	}
}

// ofProcess has a program of the image give a key, as AWS defines it.
func ofProcess(ctx context.Context, line string) (imds.Key, error) {
	words := strings.Fields(line)
	out, err := program.Run(ctx, patience, words...)
	if err != nil {
		return imds.Key{}, err
	}
	var answer struct {
		AccessKeyID                   string `json:"AccessKeyId"`
		SecretAccessKey, SessionToken string
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.AccessKeyID == "" {
		return imds.Key{}, fmt.Errorf("%s gives no key in the form of AWS", words[0]) // the cause may quote secrets
	}
	return imds.Key{ID: answer.AccessKeyID, Secret: answer.SecretAccessKey, Token: answer.SessionToken}, nil
}
