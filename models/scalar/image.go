package scalar

import (
	"fmt"
	"strings"
)

// An ImageRef names a container image: registry, repository, and tag or
// digest. It is stored as written; the registry decides whether it exists.
type ImageRef struct{ s string }

// ParseImageRef returns the ImageRef written as s.
func ParseImageRef(s string) (ImageRef, error) {
	if s == "" {
		return ImageRef{}, fmt.Errorf("image reference is empty")
	}
	if i := strings.IndexFunc(s, notImageRef); i >= 0 {
		return ImageRef{}, fmt.Errorf("image reference %s: byte %d is not a printable ASCII character other than space", quote(s), i+1)
	}
	return ImageRef{s}, nil
}

func notImageRef(r rune) bool { return r <= ' ' || r >= 0x7f }

// String returns the reference as it was written.
func (i ImageRef) String() string { return i.s }

// MarshalText returns the reference as it was written.
func (i ImageRef) MarshalText() ([]byte, error) { return []byte(i.s), nil }

// UnmarshalText reads what ParseImageRef accepts.
func (i *ImageRef) UnmarshalText(b []byte) (err error) {
	*i, err = ParseImageRef(string(b))
	return err
}

// Rule describes the type.
func (ImageRef) Rule() Rule {
	return Rule{
		Name:     "image reference",
		Want:     "a container image such as registry.example.org/team/tool:v1, in printable ASCII without spaces",
		Pattern:  `^[!-~]+$`,
		Examples: []string{"registry.example.org/team/tool:v1"},
	}
}

// A Source says where the image of a container comes from. It accepts what
// either ImageRef or URL accepts: older settings were checked as URLs. It is
// stored as written, because the canonical form of a URL is no image reference.
type Source struct{ s string }

// ParseSource returns the Source written as s.
func ParseSource(s string) (Source, error) {
	if s == "" {
		return Source{}, fmt.Errorf("image source is empty")
	}
	if _, err := ParseImageRef(s); err == nil {
		return Source{s}, nil
	}
	if _, err := ParseURL(s); err != nil {
		if fault := controlFault(s); fault != "" {
			return Source{}, fmt.Errorf("image source %s: %s", quote(s), fault)
		}
		return Source{}, fmt.Errorf("image source %s is neither an image reference nor a URL", quote(s))
	}
	return Source{s}, nil
}

// String returns the source as it was written.
func (s Source) String() string { return s.s }

// MarshalText returns the source as it was written.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.s), nil }

// UnmarshalText reads what ParseSource accepts.
func (s *Source) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSource(string(b))
	return err
}

// Rule describes the type.
func (Source) Rule() Rule {
	return Rule{
		Name:     "image source",
		Want:     "a container image such as registry.example.org/team/tool:v1, or a URL",
		Pattern:  `^[^\x00-\x1f\x7f-\x9f]+$`,
		Examples: []string{"registry.example.org/team/tool:v1"},
	}
}
