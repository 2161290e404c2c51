package contexts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A file that is read is one that is written the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"version = 1\n", "version = 1\ncurrent = \"a\"\n[contexts.a]\nendpoint = \"h\"\nca = \"/\\u0000\"\ncertificate = \"c\"\n",
		"version = 2", "version = 1\n[contexts]\nx = {}\n", "version = 1\n[contexts.\"a.b\"]\nendpoint=\"[::1]:1\"\nca='x'\ncertificate='''\n\n'''",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		first, err := parse([]byte(in), "in")
		if err != nil {
			return
		}
		text, err := encode(first)
		if err != nil {
			t.Fatalf("encode %+v, read from %q: %v", first, in, err)
		}
		again, err := parse(text, "text")
		if diff := cmp.Diff(first, again); diff != "" || err != nil {
			t.Errorf("parse(%q): error %v (-first +again):\n%s", text, err, diff)
		}
	})
}
