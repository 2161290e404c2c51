package update

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A Version is a semantic version of the system, without a v in front and
// without build metadata, which would leave two versions equal that are not.
// Versions are comparable; the zero Version stands for none.
type Version struct{ s string }

// ParseVersion returns the Version written as s.
func ParseVersion(s string) (Version, error) {
	v, err := scalar.ParseVersion(s)
	switch {
	case err != nil:
		return Version{}, err
	case v.IsLatest() || v.Semver() != s:
		return Version{}, fmt.Errorf("version %q: want major.minor.patch, such as 1.20.3", s)
	case strings.Contains(s, "+"):
		return Version{}, fmt.Errorf("version %q has build metadata, by which versions are not told apart", s)
	}
	return Version{s}, nil
}

// String returns the version as it was written.
func (v Version) String() string { return v.s }

// IsZero reports whether v stands for no version.
func (v Version) IsZero() bool { return v.s == "" }

// MarshalText returns the version as it was written.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.s), nil }

// UnmarshalText reads what ParseVersion accepts.
func (v *Version) UnmarshalText(b []byte) (err error) {
	*v, err = ParseVersion(string(b))
	return err
}

// begins reports whether v is in a line of versions: "1.2" holds 1.2.0, and not
// 1.20.0. The empty line holds all.
func (v Version) begins(line string) bool {
	rest, found := strings.CutPrefix(v.s, line)
	return found && (line == "" || rest == "" || rest[0] == '.' || rest[0] == '-')
}

// Compare orders versions by semantic versioning 2.0.0: a pre-release comes
// before its release. No version comes before all others.
func (v Version) Compare(o Version) int {
	if v.IsZero() || o.IsZero() {
		return strings.Compare(v.s, o.s)
	}
	core, pre, isPre := strings.Cut(v.s, "-")
	otherCore, otherPre, otherIsPre := strings.Cut(o.s, "-")
	c := compareParts(core, otherCore)
	switch {
	case c != 0 || !isPre && !otherIsPre:
		return c
	case !isPre:
		return 1
	case !otherIsPre:
		return -1
	}
	return compareParts(pre, otherPre)
}

func compareParts(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if c := comparePart(as[i], bs[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}

// comparePart puts numbers before words. Numbers of pre-releases have no
// bound; as they have no leading zeros, the longer one is the larger.
func comparePart(a, b string) int {
	aNumber, bNumber := isNumber(a), isNumber(b)
	switch {
	case aNumber && bNumber:
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	case aNumber:
		return -1
	case bNumber:
		return 1
	}
	return strings.Compare(a, b)
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }
