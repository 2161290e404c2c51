package scalar_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func TestParseImageRef(t *testing.T) {
	testParse(t, scalar.ParseImageRef, []parseRow{
		{name: "name", in: "alpine"},
		{name: "tag", in: "registry.example.org:5000/team/tool:v1"},
		{name: "digest", in: "registry.example.org/tool@sha256:abcdef"},
		{name: "empty", in: "", want: "image reference is empty"},
		{name: "space", in: "a b", want: `image reference "a b": byte 2 is not a printable ASCII character other than space`},
		{name: "tab", in: "a\t", want: `image reference "a\t": byte 2 is not a printable ASCII character other than space`},
		{name: "DEL", in: "a\x7f", want: `image reference "a\x7f": byte 2 is not a printable ASCII character other than space`},
		{name: "not ASCII", in: "ä", want: `image reference "ä": byte 1 is not a printable ASCII character other than space`},
	})
}

func TestParseSource(t *testing.T) {
	testParse(t, scalar.ParseSource, []parseRow{
		{name: "image", in: "registry.example.org/team/tool:v1"},
		{name: "image that is no URL", in: "weird@"},
		{name: "URL stays as written", in: "HTTP://Example.org"},
		{name: "URL that is no image", in: "http://example.org/a b"},
		{name: "empty", in: "", want: "image source is empty"},
		{name: "neither", in: "how are you", want: `image source "how are you" is neither an image reference nor a URL`},
		{name: "line feed", in: "a\nb", want: `image source "a\nb": byte 2 is the control character U+000A`},
	})
}

func FuzzImageRef(f *testing.F) {
	for _, s := range []string{"registry/image:tag", "", "a b", "é", "a\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkVerbatim(t, scalar.ParseImageRef, s) })
}

func FuzzSource(f *testing.F) {
	for _, s := range []string{"registry/image:tag", "", "how are you", "http://é/", "a\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkVerbatim(t, scalar.ParseSource, s) })
}
