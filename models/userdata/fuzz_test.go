package userdata_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/userdata"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

// check states what holds for any user data: what is kept is valid, nothing is
// left out without a fault, faults have places inside the text and stay on
// their lines, and what is kept reads back the same as TOML.
func check(t *testing.T, v *variant.Variant, data []byte) {
	got := userdata.Parse(data, v)
	if _, rep := v.Validate(got.Document, document.Document{}); rep.HasErrors() {
		t.Errorf("Parse(%q) keeps %s, which is not valid: %v", data, got.Document.JSON(), rep.Err())
	}
	if got.Document.Len() == 0 && len(got.Report.Faults) == 0 && len(got.Settings.Fields) > 0 && !onlyEmpty(got) {
		t.Errorf("Parse(%q) keeps nothing of %d members and reports nothing", data, len(got.Settings.Fields))
	}
	lines := strings.Count(string(got.Bytes), "\n") + 1
	for _, f := range got.Report.Faults {
		switch {
		case f.Line < 0 || f.Column < 0 || f.Source == "" && f.Line > lines:
			t.Errorf("Parse(%q) of %d lines: fault %v outside", data, lines, f)
		case f.Line > 0 && f.Column == 0:
			t.Errorf("Parse(%q): fault %v has a line and no column", data, f)
		case f.Detail == "" || f.Code == "" || f.Severity == "":
			t.Errorf("Parse(%q): fault %+v says too little", data, f)
		case strings.ContainsAny(f.String(), "\n\r\x1b"):
			t.Errorf("Parse(%q): fault %q leaves its line", data, f)
		}
	}
	if got.Format == userdata.Unknown && !got.Report.HasErrors() {
		t.Errorf("Parse(%q) knows no format and reports nothing", data)
	}
	again := userdata.Parse(got.Document.TOML(), v)
	if got.Document.Len() > 0 && !again.Document.Equal(got.Document) {
		t.Errorf("Parse(%q) = %s, as TOML %s", data, got.Document.JSON(), again.Document.JSON())
	}
}

// onlyEmpty reports whether the settings hold tables alone, which set nothing.
func onlyEmpty(r userdata.Result) bool {
	doc, err := document.FromNode(r.Settings)
	return err != nil || doc.Len() == 0 || r.Report.HasErrors() || hasNull(string(doc.JSON()))
}

func hasNull(s string) bool { return strings.Contains(s, "null") }

func FuzzParse(f *testing.F) {
	ca := authority(f)
	for _, s := range []string{
		greeting, `{"settings": {"motd": "hi"}}`, pack(f, greeting), base(greeting), base(pack(f, greeting)), mail("\n"+greeting, "Content-Transfer-Encoding: base64\n\n"+base(greeting)),
		"#!/bin/sh\n", "[settings.bootstrap-containers.x]\nmode = \"once\"\n", "#cloud-config\nhostname: n\n", ignitionOf(ca), butaneOf(ca), "\x1f\x8b", "\xef\xbb\xbf",
	} {
		f.Add([]byte(s))
	}
	v := load(f, "qemu-k8s-1.36")
	f.Fuzz(func(t *testing.T, data []byte) { check(t, v, data) })
}

func FuzzCloudConfig(f *testing.F) {
	for _, s := range []string{
		"hostname: n\nfqdn: n.example.org\n", "ssh_authorized_keys:\n  - " + sshKey + "\n", "ca_certs:\n  trusted:\n  - |\n" + indent(authority(f), "   "),
		"ntp: {servers: [a, b], pools: [c]}\nusers: [default, {name: x, sudo: y}]\n", "write_files:\n- {path: /etc/hosts, content: x}\n", "a: &a [*a]\n", "? {a: b}\n: c\n---\n", "\"\\u2028\": é\n",
	} {
		f.Add("#cloud-config\n" + s)
	}
	v := load(f, "qemu-k8s-1.36")
	f.Fuzz(func(t *testing.T, s string) { check(t, v, []byte("#cloud-config\n"+s)) })
}

func FuzzButane(f *testing.F) {
	f.Add(butaneOf(authority(f)))
	f.Add("storage:\n  files:\n  - path: /etc/hostname\n    contents:\n      source: data:,x\n      compression: gzip\n      verification: {hash: sha256-00}\n")
	v := load(f, "qemu-k8s-1.36")
	f.Fuzz(func(t *testing.T, s string) { check(t, v, []byte("variant: fcos\nversion: 1.6.0\n"+s)) })
}

func FuzzIgnition(f *testing.F) {
	f.Add(ignitionOf(authority(f)))
	f.Add(`{"ignition": {"version": "3.4.0"}, "systemd": {"units": [{}]}, "storage": {"files": [{"path": "/etc/hosts"}]}}`)
	v := load(f, "qemu-k8s-1.36")
	f.Fuzz(func(t *testing.T, s string) { check(t, v, []byte(s)) })
}

func FuzzMultipart(f *testing.F) {
	f.Add("\n"+greeting, "Content-Type: text/cloud-config\n\nhostname: n\n")
	f.Add("Content-Type: multipart/mixed; boundary=x\n\n--x\n\n--x--", "Content-Transfer-Encoding: quoted-printable\n\na=\n")
	v := load(f, "qemu-k8s-1.36")
	f.Fuzz(func(t *testing.T, one, two string) {
		data := []byte(mail(one, two))
		check(t, v, data)
		for _, fault := range userdata.Decode(data).Report.Faults {
			if fault.Severity == report.Error && fault.Detail == "" {
				t.Errorf("Decode(%q): %+v", data, fault)
			}
		}
	})
}
