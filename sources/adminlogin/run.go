package adminlogin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/program"
)

// Keep is the directory that outlives the container.
const Keep = "/.bulkhead/host-containers/current"

// keysLimit is how long the making of keys may take where there are few random
// numbers and slow processors.
const keysLimit = 5 * time.Minute

// Run makes the files for a login and becomes the server. Where nobody can log in
// it becomes the program that waits. It returns only when that fails.
func Run(ctx context.Context, log *slog.Logger) error {
	config, err := read(filepath.Join(Keep, "user-data"), log)
	if err != nil {
		log.Warn("nobody can log in by SSH", "error", err)
		return become("/usr/bin/pause")
	}
	if !config.CanLogIn() {
		log.Warn("user data names no key to log in with")
	}
	if err := Write("/", config.Files(Keep, os.Environ())); err != nil {
		return err
	}
	home := filepath.Join("/home", config.User)
	if err := errors.Join(os.MkdirAll(home, 0o700), os.Chown(home, firstUID, usersGID), os.MkdirAll("/run/sshd", 0o755)); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(Keep, "etc", "ssh"), 0o700); err != nil {
		return err
	}
	if _, err := program.Run(ctx, keysLimit, "/usr/bin/ssh-keygen", "-A", "-f", Keep); err != nil {
		return err
	}
	return become("/usr/sbin/sshd", "-D", "-e", "-f", serverFile)
}

func read(file string, log *slog.Logger) (Config, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		return Config{}, errors.New("the container has no user data")
	}
	if err != nil {
		return Config{}, err
	}
	config, faults, err := Parse(text)
	for _, f := range faults {
		log.Warn("part of the user data is left out", "error", f)
	}
	return config, err
}

func become(words ...string) error {
	return fmt.Errorf("start %s: %w", words[0], syscall.Exec(words[0], words, os.Environ()))
}
