package debtree

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// MirrorVariable names the mirror of Debian's archive to fetch from, where it
// is not the one that this machine's apt uses. Its security archive is looked
// for beside it, as debian-security beside debian.
const MirrorVariable = "BULKHEAD_DEBIAN_MIRROR"

// A mirror is where Debian's archive is fetched from.
type mirror struct{ main, security string }

// findMirror returns the mirror that this machine is set up to use.
func findMirror(ctx context.Context) (mirror, error) {
	if url := os.Getenv(MirrorVariable); url != "" {
		return mirrorAt(url), nil
	}
	// Release and address of every source, whether its lists are there or not.
	out, err := run.Command{Args: []string{"apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"}}.Output(ctx)
	if err != nil {
		return mirror{}, err
	}
	var m mirror
	for line := range strings.Lines(string(out)) {
		release, url, _ := strings.Cut(strings.TrimSpace(line), " ")
		url = strings.TrimSuffix(url, "/")
		switch {
		case strings.HasSuffix(url, "/debian-security") && m.security == "":
			m.security = url
		case strings.HasSuffix(url, "/debian") && !strings.Contains(release, "-") && m.main == "":
			m.main = url
		}
	}
	if m.main == "" {
		return mirror{}, fmt.Errorf("apt of this machine knows no mirror of Debian; name one with %s", MirrorVariable)
	}
	if m.security == "" {
		m.security = mirrorAt(m.main).security
	}
	return m, nil
}

func mirrorAt(url string) mirror {
	url = strings.TrimSuffix(url, "/")
	return mirror{main: url, security: url + "-security"}
}
