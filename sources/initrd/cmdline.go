package initrd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// options are what the kernel command line says to this program.
type options struct {
	root verity.RootHash
	// wait is how long disks may take to appear.
	wait time.Duration
}

// patience is how long disks may take unless the command line says otherwise, as
// with rootwait=5: what the kernel calls so when it looks for the root itself.
const patience = 30 * time.Second

// readOptions returns what a kernel command line says.
func readOptions(line string) (options, error) {
	opt := options{wait: patience}
	var roots []string
	for _, word := range words(line) {
		if word == "--" {
			break // the rest is for systemd
		}
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "roothash":
			roots = append(roots, value)
		case "rootwait":
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil {
				return options{}, fmt.Errorf("kernel command line: %s: want a number of seconds", word)
			}
			opt.wait = time.Duration(n) * time.Second
		}
	}
	var err error
	if opt.root, err = onlyRoot(roots); err != nil {
		return options{}, fmt.Errorf("kernel command line: %w", err)
	}
	return opt, nil
}

// onlyRoot returns the root hash that was given. Of several the last would count
// elsewhere, and what was added to a command line stands last.
func onlyRoot(given []string) (verity.RootHash, error) {
	switch len(given) {
	case 0:
		return verity.RootHash{}, errors.New("no roothash=, so it is not known what to start")
	case 1:
		return verity.ParseRootHash(given[0])
	}
	return verity.RootHash{}, fmt.Errorf("roothash= stands there %d times, want once", len(given))
}

// words splits a kernel command line where the kernel does: at white space that
// is not between quotation marks, which are left out.
func words(line string) []string {
	var out []string
	var word strings.Builder
	quoted, open := false, false
	for i := range len(line) {
		c := line[i]
		space := c == ' ' || '\t' <= c && c <= '\r'
		switch {
		case space && !quoted:
			if open {
				out = append(out, word.String())
			}
			word.Reset()
			open = false
			continue
		case c == '"':
			quoted = !quoted
		default:
			word.WriteByte(c)
		}
		open = true
	}
	if open {
		out = append(out, word.String())
	}
	return out
}

// lines splits a text that is told line by line. It has as many as the kernel
// takes from one program at once, beside the three that Run adds.
func lines(text string) []string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	if len(all) > maxLines {
		all = append(all[:maxLines-1], fmt.Sprintf("and %d more", len(all)-maxLines+1))
	}
	return all
}

// maxLines keeps within the ten lines in five seconds after which the kernel
// drops what a program tells it.
const maxLines = 7
