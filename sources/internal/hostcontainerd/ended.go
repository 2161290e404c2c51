package hostcontainerd

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// endsDir keeps how containers ended last, for as long as the node runs.
const endsDir = "/run/bulkhead/container-ends"

// NoteEnd notes how the container called id ended.
func NoteEnd(id string, code uint32) error {
	if err := os.MkdirAll(endsDir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(endsDir, id), strconv.AppendUint(nil, uint64(code), 10), 0o644)
}

// LastEnd returns how the container called id ended last, if it has.
func LastEnd(id string) (int, bool) {
	if strings.ContainsRune(id, '/') {
		return 0, false
	}
	data, err := os.ReadFile(filepath.Join(endsDir, id))
	if err != nil {
		return 0, false
	}
	code, err := strconv.Atoi(string(data))
	return code, err == nil
}

// definitions is where the files of containers are that the settings want.
var definitions = map[Kind]string{Host: "/etc/host-containers", Declared: "/etc/containers"}

// Defined reports whether the settings want a container of the kind called name.
func Defined(k Kind, name string) bool {
	return definitions[k] != "" && exists(filepath.Join(definitions[k], name+".toml"))
}
