package scalar_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func TestParseBase64(t *testing.T) {
	testParse(t, scalar.ParseBase64, []parseRow{
		{name: "empty", in: ""},
		{name: "no padding needed", in: "aGVs"},
		{name: "one pad", in: "aGVsbG8="},
		{name: "two pads", in: "aGVsbA=="},
		{name: "all of the alphabet", in: "+/+/"},
		{name: "line feed", in: "aGVs\nbG8=", want: "base64 text: byte 5 is a line break"},
		{name: "final line feed", in: "aGVs\n", want: "base64 text: byte 5 is a line break"},
		{name: "carriage return", in: "aGVs\r", want: "base64 text: byte 5 is a line break"},
		{name: "space", in: "aGVs bG8=", want: "base64 text of 9 bytes: byte 5 is not of the standard alphabet"},
		{name: "URL alphabet", in: "-_-_", want: "base64 text of 4 bytes: byte 1 is not of the standard alphabet"},
		{name: "missing padding", in: "aGVsbG8", want: "base64 text of 7 bytes: the length is not a multiple of 4, padding is missing or the text is cut off"},
		{name: "superfluous bits", in: "aGVsbG9=", want: "base64 text of 8 bytes: the ending at byte 8 is not canonical, it has misplaced padding or superfluous bits"},
		{name: "padding inside", in: "aG==bG8=", want: "base64 text of 8 bytes: the ending at byte 3 is not canonical, it has misplaced padding or superfluous bits"},
		{name: "padding only", in: "====", want: "base64 text of 4 bytes: the ending at byte 1 is not canonical, it has misplaced padding or superfluous bits"},
	})
}

func TestBase64Decoded(t *testing.T) {
	b, err := scalar.ParseBase64("aGVsbG8=")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b.Decoded()); got != "hello" {
		t.Errorf("Decoded of %s = %q, want %q", b, got, "hello")
	}
}

// Credentials have this type, so an error must not give them away.
func TestBase64ErrorHidesValue(t *testing.T) {
	for _, in := range []string{"c2VjcmV0!", "c2VjcmV", "c2VjcmV0c2VjcmV=", "c2VjcmV0\n"} {
		_, err := scalar.ParseBase64(in)
		if err == nil || strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("ParseBase64(%q): error %v, want one without the value", in, err)
		}
	}
}

func FuzzBase64(f *testing.F) {
	for _, s := range []string{"", "aGVsbG8=", "aGVsbG9=", "aGVs\n", "===="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkVerbatim(t, scalar.ParseBase64, s)
		if v, err := scalar.ParseBase64(s); err == nil && base64.StdEncoding.EncodeToString(v.Decoded()) != s {
			t.Errorf("%q decodes to %q, which does not encode to it", s, v.Decoded())
		}
	})
}
