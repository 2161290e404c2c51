package scalar

import (
	"fmt"
	"strconv"
	"strings"
)

// Latest is the Version that stands for the newest one there is.
const Latest = "latest"

// A Version is the word "latest" or a semantic version 2.0.0, with or without
// a v in front. It is stored as written.
type Version struct{ s string }

// ParseVersion returns the Version written as s.
func ParseVersion(s string) (Version, error) {
	if s == Latest {
		return Version{s}, nil
	}
	if fault := semverFault(strings.TrimPrefix(s, "v")); fault != "" {
		return Version{}, fmt.Errorf("version %s %s", quote(s), fault)
	}
	return Version{s}, nil
}

// semverFault says why s is not a semantic version, or returns "".
func semverFault(s string) string {
	s, build, hasBuild := strings.Cut(s, "+")
	core, pre, hasPre := strings.Cut(s, "-")
	numbers := strings.Split(core, ".")
	if len(numbers) != 3 {
		return fmt.Sprintf("has %d numbers instead of 3", len(numbers))
	}
	for _, n := range numbers {
		if fault := numberFault(n); fault != "" {
			return fmt.Sprintf("has the number %s, which %s", quote(n), fault)
		}
	}
	if hasPre {
		for id := range strings.SplitSeq(pre, ".") {
			if fault := identifierFault(id); fault != "" {
				return fmt.Sprintf("has the pre-release identifier %s, which %s", quote(id), fault)
			}
			if isDigits(id) && len(id) > 1 && id[0] == '0' {
				return fmt.Sprintf("has the pre-release identifier %s, which starts with a zero", quote(id))
			}
		}
	}
	if hasBuild {
		for id := range strings.SplitSeq(build, ".") {
			if fault := identifierFault(id); fault != "" {
				return fmt.Sprintf("has the build identifier %s, which %s", quote(id), fault)
			}
		}
	}
	return ""
}

func numberFault(n string) string {
	switch {
	case !isDigits(n):
		return "is not made of digits"
	case len(n) > 1 && n[0] == '0':
		return "starts with a zero"
	}
	// Versions are compared as 64-bit numbers.
	if _, err := strconv.ParseUint(n, 10, 64); err != nil {
		return "does not fit in 64 bits"
	}
	return ""
}

func identifierFault(id string) string {
	switch {
	case id == "":
		return "is empty"
	case strings.ContainsFunc(id, notIdentifier):
		return "holds something other than letters, digits and hyphens"
	}
	return ""
}

func isDigits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// IsLatest reports whether v stands for the newest version there is.
func (v Version) IsLatest() bool { return v.s == Latest }

// Semver returns the semantic version without a v in front, or "" for latest.
func (v Version) Semver() string {
	if v.IsLatest() {
		return ""
	}
	return strings.TrimPrefix(v.s, "v")
}

// String returns the version as it was written.
func (v Version) String() string { return v.s }

// MarshalText returns the version as it was written.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.s), nil }

// UnmarshalText reads what ParseVersion accepts.
func (v *Version) UnmarshalText(b []byte) (err error) {
	*v, err = ParseVersion(string(b))
	return err
}

// Rule describes the type.
func (Version) Rule() Rule {
	const number, pre, build = `(0|[1-9][0-9]*)`, `(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)`, `[0-9A-Za-z-]+`
	return Rule{
		Name: "version",
		Want: `"latest" or a version major.minor.patch such as 1.20.3 or v1.20.3-beta.1`,
		Pattern: `^(latest|v?` + number + `\.` + number + `\.` + number +
			`(-` + pre + `(\.` + pre + `)*)?(\+` + build + `(\.` + build + `)*)?)$`,
		Examples: []string{"latest", "1.20.3", "v1.20.3-beta.1"},
	}
}
