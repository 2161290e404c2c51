package ignition_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/userdata"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/tools/pinned"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
	"github.com/bulkhead-os/bulkhead/variants"
)

const module = "tools/ignition/upstream"

// A question is one configuration, and a verdict what upstream says of it.
type question struct {
	name   string
	Butane bool   `json:"butane"`
	Text   string `json:"text"`
}

type verdict struct {
	Valid    bool   `json:"valid"`
	Report   string `json:"report"`
	Ignition string `json:"ignition"`
}

func repository(t *testing.T) workspace.Root {
	t.Helper()
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// ask asks upstream about all questions at once.
func ask(t *testing.T, questions []question) []verdict {
	t.Helper()
	program := pinned.Program{Module: module, File: module + "/main.go", Output: "build/tools/ignition-verdict"}
	bin, err := program.Build(t.Context(), repository(t))
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (run.Command{Args: []string{bin}, Stdin: bytes.NewReader(in), Stdout: &out}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var verdicts []verdict
	if err := json.Unmarshal(out.Bytes(), &verdicts); err != nil || len(verdicts) != len(questions) {
		t.Fatalf("%d verdicts, %v, want %d", len(verdicts), err, len(questions))
	}
	return verdicts
}

// examples returns the configurations in the documentation of upstream.
func examples(t *testing.T, path string, butane bool, block *regexp.Regexp) []question {
	t.Helper()
	list := repository(t).Go("list", "-m", "-f", "{{.Dir}}", path)
	list.Dir = repository(t).Path(filepath.FromSlash(module))
	list.Env = append(list.Env, "GOWORK=off")
	dir, err := list.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out []question
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllSubmatchIndex(text, -1) {
			q := question{Butane: butane, Text: string(text[m[2]:m[3]])}
			q.name = filepath.Base(file) + " line " + lineOf(text, m[2])
			if (!butane || strings.Contains(q.Text, "variant:")) && (butane || strings.Contains(q.Text, `"ignition"`)) {
				out = append(out, q)
			}
		}
	}
	return out
}

func lineOf(text []byte, at int) string {
	b, _ := json.Marshal(1 + bytes.Count(text[:at], []byte("\n")))
	return string(b)
}

// beyond reports whether the configuration is in a language that we do not read:
// experimental or old versions, and variants for other systems.
func beyond(r userdata.Result) bool {
	for _, f := range r.Report.Faults {
		if f.Code == report.Unsupported && (f.Path == "variant" || f.Path == "version" || f.Path == "ignition.version") {
			return true
		}
	}
	return false
}

// agree compares our verdict on q with that of upstream. What they refuse we
// refuse; what they accept has no fault but that no setting stands for it, or
// that what they pass on without a look is no SSH key.
func agree(t *testing.T, v *variant.Variant, q question, want verdict) {
	t.Helper()
	got := userdata.Parse([]byte(q.Text), v)
	if beyond(got) {
		return
	}
	if !want.Valid {
		if !got.Report.HasErrors() {
			t.Errorf("%s: accepted, and upstream refuses it: %s\n%s", q.name, want.Report, q.Text)
		}
		return
	}
	for _, f := range got.Report.Faults {
		known := f.Code == report.Unsupported || strings.Contains(want.Report, "nused key") || strings.HasPrefix(f.Detail, "SSH key is not one")
		if f.Severity == report.Error && !known {
			t.Errorf("%s: fault %v, and upstream accepts it\n%s", q.name, f, q.Text)
		}
	}
	if !q.Butane {
		return
	}
	by := userdata.Parse([]byte(want.Ignition), v)
	if diff := cmp.Diff(string(by.Document.JSON()), string(got.Document.JSON())); diff != "" {
		t.Errorf("%s: settings by way of Ignition (-) and directly (+):\n%s\n%s", q.name, diff, q.Text)
	}
}

func TestUpstreamExamples(t *testing.T) {
	v, err := variant.Load(variants.Files, "qemu-dev")
	if err != nil {
		t.Fatal(err)
	}
	questions := examples(t, "github.com/coreos/ignition/v2", false, regexp.MustCompile("(?s)```json[^\n]*\n(.*?)```"))
	questions = append(questions, examples(t, "github.com/coreos/butane", true, regexp.MustCompile("(?s)```yaml[^\n]*\n(.*?)```"))...)
	if len(questions) < 60 {
		t.Errorf("%d examples, want more: are they where they were?", len(questions))
	}
	read := 0
	for i, want := range ask(t, questions) {
		agree(t, v, questions[i], want)
		if got := userdata.Parse([]byte(questions[i].Text), v); !beyond(got) {
			read++
			if got.Format != userdata.Ignition && got.Format != userdata.Butane {
				t.Errorf("%s: taken for %s", questions[i].name, got.Format)
			}
		}
	}
	t.Logf("%d examples, %d of them in versions that are read", len(questions), read)
}

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl anna"

// ours returns configurations around the part that we read.
func ours(t *testing.T) []question {
	t.Helper()
	pem, err := os.ReadFile("testdata/authority.pem")
	if err != nil {
		t.Fatal(err)
	}
	inline := "            " + strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", "\n            ")
	ign := func(name, text string) question { return question{name: name, Text: text} }
	bu := func(name, text string) question {
		return question{name: name, Butane: true, Text: "variant: flatcar\nversion: 1.1.0\n" + text}
	}
	host := func(contents string) string {
		return `{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/etc/hostname","contents":{` + contents + `}}]}}`
	}
	return []question{
		ign("plain", host(`"source":"data:,node-1"`)),
		ign("base64", host(`"source":"data:;base64,bm9kZS0x"`)),
		ign("media type", host(`"source":"data:text/plain;charset=utf-8;base64,bm9kZS0x"`)),
		ign("digest", host(`"source":"data:,n","verification":{"hash":"sha256-00"}`)),
		ign("kind of digest", host(`"source":"data:,n","verification":{"hash":"md5-d41d8cd98f00b204e9800998ecf8427e"}`)),
		ign("compression", host(`"source":"data:,n","compression":"xz"`)),
		ign("scheme", host(`"source":"ftp://example.org/x"`)),
		ign("no scheme", host(`"source":"node-1"`)),
		ign("type", host(`"source":5`)),
		ign("relative path", `{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"etc/hostname"}]}}`),
		ign("path twice", `{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/a"},{"path":"/a"}]}}`),
		ign("user twice", `{"ignition":{"version":"3.4.0"},"passwd":{"users":[{"name":"a"},{"name":"a"}]}}`),
		ign("user without a name", `{"ignition":{"version":"3.4.0"},"passwd":{"users":[{}]}}`),
		ign("no version", `{"ignition":{}}`),
		ign("odd version", `{"ignition":{"version":"3"}}`),
		ign("version as number", `{"ignition":{"version":3.4}}`),
		ign("future", `{"ignition":{"version":"3.99.0"}}`),
		ign("nothing", `{"ignition":{"version":"3.5.0"},"storage":null,"passwd":{"users":null}}`),
		ign("list for a table", `{"ignition":{"version":"3.4.0"},"passwd":[]}`),
		ign("cut off", `{"ignition":{"version":"3.4.0"}`),
		ign("keys", `{"ignition":{"version":"3.4.0"},"passwd":{"users":[{"name":"core","sshAuthorizedKeys":["`+key+`"]}]}}`),
		bu("host name", "storage:\n  files:\n    - path: /etc/hostname\n      mode: 0644\n      contents:\n        inline: node-1\n"),
		bu("source", "storage:\n  files:\n    - path: /etc/hostname\n      contents:\n        source: data:,node-1\n"),
		bu("both", "storage:\n  files:\n    - path: /etc/hostname\n      contents:\n        inline: n\n        source: data:,n\n"),
		bu("keys", "passwd:\n  users:\n    - name: core\n      ssh_authorized_keys:\n        - "+key+"\n"),
		bu("authority, long enough to be packed", "ignition:\n  security:\n    tls:\n      certificate_authorities:\n        - inline: |\n"+inline+"\n"+inline+"\n"+inline+"\n"),
		bu("list for a table", "passwd: []\n"),
		bu("camel case", "passwd:\n  users:\n    - name: core\n      sshAuthorizedKeys: [x]\n"),
		bu("broken", "passwd: [\n"),
		bu("user twice", "passwd:\n  users:\n    - name: a\n    - name: a\n"),
		{name: "no version", Butane: true, Text: "variant: flatcar\nfoo: |\n  version:\n"},
		{name: "unknown variant", Butane: true, Text: "variant: foo\nversion: 1.0.0\n"},
	}
}

func TestUpstreamAgrees(t *testing.T) {
	v, err := variant.Load(variants.Files, "qemu-dev")
	if err != nil {
		t.Fatal(err)
	}
	questions := ours(t)
	valid := 0
	for i, want := range ask(t, questions) {
		agree(t, v, questions[i], want)
		if want.Valid {
			valid++
		}
	}
	if valid < 8 || valid > len(questions)-8 {
		t.Errorf("%d of %d are valid, want some of each", valid, len(questions))
	}
}
