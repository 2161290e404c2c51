package userdata_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/userdata"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

var variants fs.FS = os.DirFS("../../variants")

func load(t testing.TB, name string) *variant.Variant {
	t.Helper()
	v, err := variant.Load(variants, name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const sshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl anna"

// authority returns a certificate in PEM, always the same one.
func authority(t testing.TB) string {
	t.Helper()
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
	}
	der, err := x509.CreateCertificate(nil, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func pkiJSON(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf(`"pki":{"user-data-%s":{"data":%q,"trusted":true}}`, hex.EncodeToString(sum[:6]), base64.StdEncoding.EncodeToString([]byte(text)))
}

func keysJSON(keys ...string) string {
	list, _ := json.Marshal(keys)
	return fmt.Sprintf(`"host-containers":{"admin":{"user-data":%q}}`, base64.StdEncoding.EncodeToString([]byte(`{"ssh":{"authorized-keys":`+string(list)+`}}`)))
}

func pack(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func base(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func indent(s, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n"+by) + "\n"
}

func lines(faults []report.Fault) []string {
	out := []string{}
	for _, f := range faults {
		out = append(out, f.String())
	}
	return out
}

type parseTest struct {
	name, in string
	format   userdata.Format
	want     string // settings
	faults   []string
}

func runParse(t *testing.T, tests []parseTest) {
	t.Helper()
	v := load(t, "qemu-dev")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := userdata.Parse([]byte(tt.in), v)
			if got.Format != tt.format {
				t.Errorf("Parse(%.200q): format %s, want %s", tt.in, got.Format, tt.format)
			}
			if diff := cmp.Diff(tt.want, string(got.Document.JSON())); diff != "" {
				t.Errorf("Parse(%.200q): settings (-want +got):\n%s", tt.in, diff)
			}
			if diff := cmp.Diff(append([]string{}, tt.faults...), lines(got.Report.Faults)); diff != "" {
				t.Errorf("Parse(%.200q): faults (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

const greeting = "[settings]\nmotd = \"hi\"\n"

func TestParsePlain(t *testing.T) {
	runParse(t, []parseTest{
		{name: "nothing", in: "", format: userdata.Empty, want: "{}"},
		{name: "white space", in: " \r\n\t", format: userdata.Empty, want: "{}"},
		{name: "TOML", in: greeting, format: userdata.TOML, want: `{"motd":"hi"}`},
		{name: "TOML without a header", in: "settings.motd = \"hi\"\nsettings.kernel.lockdown = 'integrity'\n", format: userdata.TOML, want: `{"kernel":{"lockdown":"integrity"},"motd":"hi"}`},
		{name: "TOML with a mark and other line ends", in: "\xef\xbb\xbf[settings]\r\nmotd = \"hi\"\r\n", format: userdata.TOML, want: `{"motd":"hi"}`},
		{name: "TOML behind a comment like a script", in: "#!/bin/sh is not what this is\n" + greeting, format: userdata.TOML, want: `{"motd":"hi"}`},
		{name: "JSON", in: "\n {\"settings\": {\"motd\": \"hi\"}}", format: userdata.JSON, want: `{"motd":"hi"}`},
		{
			name: "half of it valid", format: userdata.TOML,
			in: "[other]\nx = 1\n[settings]\nmotd = \"hi\"\nmtod = \"x\"\n[settings.ntp]\noptions = [\"iburst\"]\ntime-servers = [\"ok.example.org\", \"not ok\"]\n" +
				"[settings.bootstrap-containers.x]\nmode = \"once\"\n[settings.kubernetes]\nx = 1\n",
			want: `{"motd":"hi","ntp":{"options":["iburst"]}}`,
			faults: []string{
				`1:2: warning: other: "other" stands beside "settings" and is ignored (settings belong below [settings])`,
				`5:1: settings.mtod: there is no setting "mtod" here (did you mean "motd"?)`,
				`8:35: settings.ntp.time-servers[1]: time server: URL "not ok" cannot be parsed, as it is or with http:// in front (want a host name or an IP address)`,
				`9:32: settings.bootstrap-containers.x.source: mode is once and source is not set, so there is nothing to run (set source to a container image, or mode to off)`,
				`11:11: settings.kubernetes: there is no setting "kubernetes" here (variant qemu-dev does not have these settings)`,
			},
		},
		{
			name: "given twice", in: greeting + "motd = \"other\"\n", format: userdata.TOML, want: `{"motd":"hi"}`,
			faults: []string{`3:1: settings.motd: key "motd" is given twice (it stands first in line 2, column 1)`},
		},
		{
			name: "no settings", in: "motd = 1\n", format: userdata.TOML, want: "{}",
			faults: []string{"user data has no table settings (settings belong below [settings] in TOML, in {\"settings\": {…}} in JSON)"},
		},
		{
			name: "no settings in JSON", in: "{}", format: userdata.JSON, want: "{}",
			faults: []string{"user data has no table settings (settings belong below [settings] in TOML, in {\"settings\": {…}} in JSON)"},
		},
		{
			name: "settings are no table", in: "settings = 1", format: userdata.TOML, want: "{}",
			faults: []string{"1:12: settings: want a table, got 1"},
		},
		{
			name: "not TOML", in: "[settings]\nmotd = hi\n", format: userdata.TOML, want: "{}",
			faults: []string{"2:8: TOML: unexpected character U+0068 'h' at start of value (want TOML 1.0)"},
		},
		{
			name: "YAML", in: "settings:\n  motd: hi\n", format: userdata.TOML, want: "{}",
			faults: []string{"1:9: TOML: expected '=' after key (this looks like YAML; want TOML or JSON: apiclient user-data new prints a text to start from)"},
		},
		{
			name: "not JSON", in: "{\"settings\": {\n\"motd\": }}", format: userdata.JSON, want: "{}",
			faults: []string{"2:9: JSON: invalid character '}' at start of value (want one complete JSON value)"},
		},
		{
			name: "not UTF-8", in: "[settings]\nmotd = \"\xff\"\n", format: userdata.TOML, want: "{}",
			faults: []string{"2:9: byte 0xff is not UTF-8 (want text encoded as UTF-8)"},
		},
		{
			name: "UTF-16", in: "\xff\xfe[\x00s\x00", format: userdata.TOML, want: "{}",
			faults: []string{"1:1: byte 0xff is not UTF-8 (want text encoded as UTF-8)"},
		},
		{
			name: "script", in: "#!/bin/sh\necho hi\n", format: userdata.Unknown, want: "{}",
			faults: []string{"1:1: a script is not read here (settings.bootstrap-commands runs apiclient commands at boot; anything else belongs into a container, see settings.bootstrap-containers)"},
		},
		{
			name: "include", in: "#include\nhttps://example.org\n", format: userdata.Unknown, want: "{}",
			faults: []string{"1:1: a list of addresses to fetch user data from is not read here (give the user data itself; a multi-part text joins several)"},
		},
		{
			name: "too deep", in: "[settings]\nmotd = " + strings.Repeat("[", 40) + strings.Repeat("]", 40), format: userdata.TOML, want: "{}",
			faults: []string{"2:1: settings.motd" + strings.Repeat("[0]", 30) + ": nesting is deeper than 32 levels"},
		},
	})
}

func TestParseWrapped(t *testing.T) {
	cut := pack(t, greeting)
	four := greeting
	for range 5 {
		four = pack(t, four)
	}
	runParse(t, []parseTest{
		{name: "gzip", in: pack(t, greeting), format: userdata.TOML, want: `{"motd":"hi"}`},
		{name: "base64", in: base(greeting) + "\n", format: userdata.TOML, want: `{"motd":"hi"}`},
		{name: "base64 on lines, not padded", in: "\n" + strings.TrimRight(base(greeting + " ")[:20]+"\r\n"+base(greeting + " ")[20:], "="), format: userdata.TOML, want: `{"motd":"hi"}`},
		{name: "gzip in base64", in: base(pack(t, greeting)), format: userdata.TOML, want: `{"motd":"hi"}`},
		{name: "base64 in gzip", in: pack(t, base(greeting)), format: userdata.TOML, want: `{"motd":"hi"}`},
		{name: "gzip of nothing", in: pack(t, ""), format: userdata.Empty, want: `{}`},
		{
			name: "place of a fault", in: base(pack(t, "[settings]\n\nmotd = 1\n")), format: userdata.TOML, want: `{}`,
			faults: []string{"3:8: settings.motd: want a string, got 1"},
		},
		{
			name: "gzip cut off", in: cut[:len(cut)-9], format: userdata.Unknown, want: "{}",
			faults: []string{"user data in gzip cannot be unpacked: unexpected EOF (pack it again; a text cut off on its way ends too early)"},
		},
		{
			name: "gzip of another kind", in: "\x1f\x8b nonsense", format: userdata.Unknown, want: "{}",
			faults: []string{"user data in gzip cannot be unpacked: gzip: invalid header (pack it again; a text cut off on its way ends too early)"},
		},
		{
			name: "bomb", in: pack(t, strings.Repeat(" ", 9<<20)), format: userdata.Unknown, want: "{}",
			faults: []string{"user data in gzip cannot be unpacked: it unwraps to more than 8 MiB (pack it again; a text cut off on its way ends too early)"},
		},
		{
			name: "bomb in a bomb", in: pack(t, pack(t, strings.Repeat(" ", 9<<20))), format: userdata.Unknown, want: "{}",
			faults: []string{"user data in gzip cannot be unpacked: it unwraps to more than 8 MiB (pack it again; a text cut off on its way ends too early)"},
		},
		{
			name: "wrapped too often", in: four, format: userdata.Unknown, want: "{}",
			faults: []string{"user data is wrapped more than 4 times (want one layer of gzip, base64 or multi-part)"},
		},
		{
			name: "packed and long", in: "\x1f\x8b" + strings.Repeat("x", userdata.MaxPacked), format: userdata.Unknown, want: "{}",
			faults: []string{"user data has 524290 bytes in gzip (want at most 524288)"},
		},
		{
			name: "long", in: strings.Repeat("#", userdata.MaxText+1), format: userdata.Unknown, want: "{}",
			faults: []string{"user data has 8388609 bytes (want at most 8388608)"},
		},
		{
			name: "base64 of what is no text", in: base("\xff\x00\xff"), format: userdata.TOML, want: "{}",
			faults: []string{"1:1: TOML: invalid character at start of key: U+002F '/' (want TOML 1.0)"},
		},
	})
}

const mailHead = "Content-Type: multipart/mixed;\r\n boundary=\"==B==\"\r\nMIME-Version: 1.0\r\n\r\n"

// mail joins parts, each a header and a body.
func mail(parts ...string) string {
	var b strings.Builder
	b.WriteString(mailHead)
	for _, p := range parts {
		b.WriteString("--==B==\n" + p + "\n")
	}
	return b.String() + "--==B==--\n"
}

func TestParseMultipart(t *testing.T) {
	const cloud = "Content-Type: text/cloud-config\nContent-Disposition: attachment; filename=\"base.yaml\"\n\nhostname: one\nwrite_files:\n - path: /etc/sysctl.d/1.conf\n"
	runParse(t, []parseTest{
		{
			name: "later parts win", format: userdata.Multipart,
			in:   mail(cloud, "Content-Type: text/plain\n\n[settings]\nmotd = \"hi\"\nnetwork.hostname = \"two\"\nmtod = 1\n", "\n"+greeting),
			want: `{"motd":"hi","network":{"hostname":"two"}}`,
			faults: []string{
				"11:4: write_files[0]: cloud-config asks for what no setting stands for (set settings.kernel.sysctl)",
				`19:1: settings.mtod: there is no setting "mtod" here (did you mean "motd"?)`,
			},
		},
		{
			name: "encoded part", format: userdata.Multipart,
			in: mail("Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"a\tb.toml\"\n\n"+base("[settings]\nmotd = 1\nntp.options = [\"iburst\"]\n")+"\n",
				"Content-Transfer-Encoding: quoted-printable\n\n[settings]\nmotd =3D \"x=\ny\"\n", "\n"+pack(t, "[settings]\nkernel.lockdown = \"x\"")),
			want: `{"motd":"xy","ntp":{"options":["iburst"]}}`,
			faults: []string{
				`part 3:2:19: settings.kernel.lockdown: lockdown mode "x" is not known (want one of none, integrity or confidentiality)`,
			},
		},
		{
			name: "nested", format: userdata.Multipart,
			in:   mail("Content-Type: multipart/mixed; boundary=inner\n\n--inner\n\n" + greeting + "\n--inner\n\n[settings]\nmtod = 1\n--inner--\n"),
			want: `{"motd":"hi"}`, faults: []string{`16:1: settings.mtod: there is no setting "mtod" here (did you mean "motd"?)`},
		},
		{
			name: "one part alone", in: "Content-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\n\n" + greeting + "mtod = 1\n", format: userdata.Multipart,
			want: `{"motd":"hi"}`, faults: []string{`6:1: settings.mtod: there is no setting "mtod" here (did you mean "motd"?)`},
		},
		{
			name: "what is not read", format: userdata.Multipart, want: `{"motd":"hi"}`,
			in: mail("Content-Type: text/x-shellscript; charset=\"us-ascii\"\n\n#!/bin/sh\n", "\n"+greeting, "Content-Type: application/node.eks.aws\n\napiVersion: x\n"),
			faults: []string{
				"6:1: a script is not read here (settings.bootstrap-commands runs apiclient commands at boot; anything else belongs into a container, see settings.bootstrap-containers)",
				"16:1: a NodeConfig is not read here (give settings.kubernetes.cluster-name, settings.kubernetes.api-server and settings.kubernetes.cluster-certificate in a TOML part)",
			},
		},
		{
			name: "cut off", in: strings.TrimSuffix(mail("\n"+greeting), "--==B==--\n"), format: userdata.Multipart, want: `{"motd":"hi"}`,
			faults: []string{"the line --==B==-- that ends the last part is missing (the text may have been cut off on its way)"},
		},
		{
			name: "no boundary", in: "Content-Type: multipart/mixed\n\n", format: userdata.Multipart, want: `{}`,
			faults: []string{`1:1: Content-Type names no boundary between parts (want multipart/mixed; boundary="…")`},
		},
		{
			name: "unknown encoding", in: mail("Content-Transfer-Encoding: uuencode\n\nx\n", "\n"+greeting), format: userdata.Multipart, want: `{"motd":"hi"}`,
			faults: []string{`part 1:1:1: Content-Transfer-Encoding: "uuencode" is not known, want 7bit, 8bit, binary, base64 or quoted-printable`},
		},
		{
			name: "too many parts", in: mail(strings.Split(strings.Repeat("\n,", 70), ",")...), format: userdata.Multipart, want: `{}`,
			faults: []string{"user data has more than 64 parts"},
		},
	})
}
