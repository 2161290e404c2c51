package userdata_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/userdata"
)

const keysFault = "info: settings.host-containers.admin.user-data: SSH keys are given to the admin container, which does not run unless it is enabled " +
	"(set settings.host-containers.admin.enabled = true in a TOML part, or later)"

const (
	users      = "users exist in the admin container alone: settings.host-containers.admin.user-data has their keys"
	containers = "run programs in containers: settings.bootstrap-containers before the node is ready, settings.host-containers for good"
	noSetting  = " asks for what no setting stands for "
)

func TestParseCloudConfig(t *testing.T) {
	ca := authority(t)
	runParse(t, []parseTest{
		{name: "nothing", in: "#cloud-config\n", format: userdata.CloudConfig, want: `{}`},
		{name: "null", in: "#cloud-config\n~\n", format: userdata.CloudConfig, want: `{}`},
		{
			name: "all that is read", format: userdata.CloudConfig,
			in: "#cloud-config\r\nfqdn: n.example.org\nssh_authorized_keys:\n  - " + sshKey + "\nusers:\n  - default\n  - name: core\n    ssh_authorized_keys: [\"" + sshKey + "\"]\n" +
				"ca_certs:\n  remove_defaults: no\n  trusted:\n    - |\n" + indent(ca, "      ") + "ntp:\n  enabled: true\n  servers: [a.example.org]\n  pools: [b.example.org]\npreserve_hostname: false\n",
			want:   `{` + keysJSON(sshKey) + `,"network":{"hostname":"n.example.org"},"ntp":{"time-servers":["a.example.org","b.example.org"]},` + pkiJSON(ca) + `}`,
			faults: []string{"4:5: " + keysFault},
		},
		{
			name: "both names", in: "#cloud-config\nfqdn: n.example.org\nhostname: n\n", format: userdata.CloudConfig, want: `{"network":{"hostname":"n"}}`,
			faults: []string{"2:1: warning: fqdn: the node has one name, and hostname gives it (leave out hostname to have the long one)"},
		},
		{
			name: "what is not read", format: userdata.CloudConfig, want: `{"network":{"hostname":"n"}}`,
			in: "#cloud-config\nhostname: n\nruncmd:\n  - [ls]\nwrite_files:\n  - path: /etc/modprobe.d/x.conf\n    content: x\n  - content: x\ntimezone: UTC\nfoo: 1\nca-certs:\n  remove-defaults: true\n" +
				"ntp:\n  enabled: false\n  config: {}\n  bar: 1\nusers:\n  - name: x\n    sudo: ALL\n",
			faults: []string{
				"3:1: runcmd: cloud-config" + noSetting + "(settings.bootstrap-commands runs apiclient commands at boot; anything else belongs into a container, see settings.bootstrap-containers)",
				"6:5: write_files[0]: cloud-config" + noSetting + "(set settings.kernel.modules)",
				"8:5: write_files[1]: cloud-config" + noSetting + "(files are rendered from settings, see apiclient schema; programs and their files belong into containers, see settings.host-containers)",
				"9:1: timezone: cloud-config" + noSetting + "(clocks are in UTC; containers may have zones)",
				"10:1: foo: this key of cloud-config is not read here (read are ca-certs, ca_certs, fqdn, hostname, ntp, preserve_hostname, ssh_authorized_keys, users; everything else is a setting in a TOML part)",
				"12:3: ca-certs.remove-defaults: cloud-config" + noSetting + "(the image's own authorities stay; settings.pki adds to them, and takes single ones out with trusted = false)",
				"14:3: ntp.enabled: cloud-config" + noSetting + "(the clock is always synchronised)",
				"15:3: ntp.config: cloud-config" + noSetting + "(set settings.ntp.time-servers and settings.ntp.options)",
				"16:3: ntp.bar: cloud-config has no key \"bar\" here, or not for this system",
				"19:5: users[0].sudo: cloud-config" + noSetting + "(" + users + ")",
			},
		},
		{
			name: "wrong values", format: userdata.CloudConfig, want: `{` + keysJSON(sshKey) + `}`,
			in: "#cloud-config\nhostname: \"-x\"\nssh_authorized_keys: [ssh-rsa AAAA, \"a\\nb\", 5, é, " + sshKey + "]\nca_certs: {trusted: [x, [y]]}\nntp: {servers: x, enabled: perhaps}\n",
			faults: []string{
				`2:11: settings.network.hostname: host name "-x": label "-x" starts with a hyphen (want labels of lower-case letters, digits and hyphens joined by dots, each of 1 to 63 bytes and not starting with a hyphen)`,
				"3:23: ssh_authorized_keys[0]: SSH key is not one (want a line as in ~/.ssh/id_ed25519.pub: ssh-ed25519 AAAA… name)",
				"3:37: ssh_authorized_keys[1]: SSH key has several lines (want a line as in ~/.ssh/id_ed25519.pub: ssh-ed25519 AAAA… name)",
				"3:45: ssh_authorized_keys[2]: want a string, got an integer",
				"3:48: ssh_authorized_keys[3]: SSH key is not one (want a line as in ~/.ssh/id_ed25519.pub: ssh-ed25519 AAAA… name)",
				"3:52: " + keysFault,
				"4:22: ca_certs.trusted[0]: certificates: the decoded text holds no PEM block (want certificates in PEM)",
				"4:25: ca_certs.trusted[1]: want a string, got a list",
				"5:16: ntp.servers: want a list, got a string",
				"5:28: ntp.enabled: want true or false, got a string",
			},
		},
		{
			name: "broken YAML", in: "#cloud-config\nhostname: n\n  x: [\n", format: userdata.CloudConfig, want: `{}`,
			faults: []string{"3:1: YAML: mapping values are not allowed in this context (want YAML 1.2)"},
		},
		{
			name: "not a table", in: "#cloud-config\n- a\n", format: userdata.CloudConfig, want: `{}`,
			faults: []string{"2:1: want a table, got a list"},
		},
		{
			name: "tricks of YAML", format: userdata.CloudConfig, want: `{"network":{"hostname":"n"}}`,
			in: "#cloud-config\nhostname: &a n\nhostname: m\nfoo: *a\n? [x]\n: y\n---\nhostname: o\n",
			faults: []string{
				`3:1: key "hostname" is given twice (it stands first in line 2, column 1)`,
				"4:1: foo: this key of cloud-config is not read here (read are ca-certs, ca_certs, fqdn, hostname, ntp, preserve_hostname, ssh_authorized_keys, users; everything else is a setting in a TOML part)",
				"4:6: an alias is not followed (write its value here)",
				"5:3: a key is not a plain word",
				"7:1: a second YAML document begins here (want one document)",
			},
		},
		{
			name: "long YAML", in: "#cloud-config\n" + strings.Repeat("#", 1<<20), format: userdata.CloudConfig, want: `{}`,
			faults: []string{"YAML has 1048590 bytes (want at most 1048576; TOML may be longer)"},
		},
		{
			name: "not UTF-8", in: "#cloud-config\nhostname: \xff\n", format: userdata.CloudConfig, want: `{}`,
			faults: []string{"2:11: byte 0xff is not UTF-8 (want text encoded as UTF-8)"},
		},
	})
}

func ignitionOf(ca string) string {
	return fmt.Sprintf(`{
 "ignition": {"version": "3.4.0", "timeouts": {"httpTotal": 5}, "security": {"tls": {"certificateAuthorities": [
  {"source": "data:;base64,%s", "compression": null, "verification": {"hash": "sha256-%x"}}
 ]}}},
 "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": [%q]}]},
 "storage": {"files": [{"path": "/etc/hostname", "mode": 420, "overwrite": true, "contents": {"source": "data:,node%%2d1%%0A"}}]}
}`, base64.StdEncoding.EncodeToString([]byte(ca)), sha256.Sum256([]byte(ca)), sshKey)
}

func butaneOf(ca string) string {
	return "variant: flatcar\nversion: 1.1.0\nignition:\n  security:\n    tls:\n      certificate_authorities:\n        - inline: |\n" + indent(ca, "            ") +
		"passwd:\n  users:\n    - name: core\n      ssh_authorized_keys:\n        - " + sshKey + "\nstorage:\n  files:\n    - path: /etc/hostname\n      mode: 0644\n      contents:\n        inline: node-1\n"
}

func TestParseIgnition(t *testing.T) {
	ca := authority(t)
	all := `{` + keysJSON(sshKey) + `,"network":{"hostname":"node-1"},` + pkiJSON(ca) + `}`
	runParse(t, []parseTest{
		{name: "nothing", in: `{"ignition": {"version": "3.0.0"}}`, format: userdata.Ignition, want: `{}`},
		{name: "all that is read", in: ignitionOf(ca), format: userdata.Ignition, want: all, faults: []string{"5:62: " + keysFault}},
		{name: "in Butane", in: butaneOf(ca), format: userdata.Butane, want: all, faults: []string{"20:11: " + keysFault}},
		{
			name: "compressed", format: userdata.Ignition, want: `{"network":{"hostname":"n"}}`,
			in: `{"ignition":{"version":"3.6.0"},"storage":{"files":[{"path":"/etc/hostname","contents":{"compression":"gzip","source":"data:;base64,` + base(pack(t, "n")) + `"}}]}}`,
		},
		{
			name: "what is not read", format: userdata.Ignition, want: `{}`,
			in: `{"ignition": {"version": "3.4.0", "config": {"merge": []}, "proxy": {"httpProxy": "x"}},
 "systemd": {"units": [{"name": "a.service"}, {"name": "b.service"}]},
 "storage": {"files": [{"path": "/etc/sysctl.d/1.conf"}, {"path": "/x/../etc/chrony/chrony.conf"}, {"path": "x"}, {"path": "/etc/hosts"}, {"path": "/etc/hosts"}, {}],
  "disks": [{"device": "/dev/sda"}], "links": null, "foo": 1},
 "passwd": {"users": [{"name": "a", "passwordHash": "secret", "shell": null}, {"name": "a"}, {}], "groups": [{"name": "g"}]},
 "kernelArguments": {"shouldExist": ["quiet"]}, "Systemd": {}}`,
			faults: []string{
				"1:35: ignition.config: Ignition" + noSetting + "(put all into one document; a multi-part text joins several)",
				"1:60: ignition.proxy: Ignition" + noSetting + "(set settings.network.https-proxy and settings.network.no-proxy)",
				"2:24: systemd.units[0]: Ignition" + noSetting + "(" + containers + ")",
				"2:47: systemd.units[1]: Ignition" + noSetting + "(" + containers + ")",
				"3:24: storage.files[0]: Ignition" + noSetting + "(set settings.kernel.sysctl)",
				"3:58: storage.files[1]: Ignition" + noSetting + "(set settings.ntp.time-servers)",
				`3:109: storage.files[2].path: path "x" is not absolute (want one that begins with /)`,
				"3:115: storage.files[3]: Ignition" + noSetting + "(set settings.network.hosts)",
				`3:148: storage.files[4].path: file "/etc/hosts" is given twice (it stands first in line 3, column 124)`,
				"3:163: storage.files[5].path: the file has no path",
				"4:13: storage.disks[0]: Ignition" + noSetting + "(the system lays out its own disk; a container of settings.bootstrap-containers may prepare others)",
				`4:53: storage.foo: Ignition has no key "foo" here, or not for this system`,
				"5:37: passwd.users[0].passwordHash: Ignition" + noSetting + "(" + users + ")",
				`5:88: passwd.users[1].name: user "a" is given twice (it stands first in line 5, column 32)`,
				"5:110: passwd.groups[0]: Ignition" + noSetting + "(" + users + ")",
				"6:2: kernelArguments: Ignition" + noSetting + "(set settings.boot.kernel)",
				`6:49: Systemd: Ignition has no key "Systemd" here, or not for this system`,
			},
		},
		{
			name: "resources", format: userdata.Ignition, want: `{}`,
			in: `{"ignition": {"version": "3.4.0", "security": {"tls": {"certificateAuthorities": [
{"source": "https://example.org/ca"},
{"source": "data:x"},
{"source": "data:,x%zz"},
{"source": "data:;base64,?"},
{"source": "data:,x", "compression": "xz"},
{"source": "data:,x", "compression": "gzip"},
{"source": "data:,x", "verification": {"hash": "md5-00"}},
{"source": "data:,x", "verification": {"hash": "sha512-00"}},
{"source": "data:,x", "inline": "x"}
]}}}}`,
			faults: []string{
				`2:12: ignition.security.tls.certificateAuthorities[0].source: nothing is fetched from "https:" (give the text itself, as a URL that begins with data:)`,
				"3:12: ignition.security.tls.certificateAuthorities[1].source: the data: URL has no comma before its text (want data:,TEXT or data:;base64,TEXT)",
				`4:12: ignition.security.tls.certificateAuthorities[2].source: the data: URL has a bad escape: invalid URL escape "%zz" (want data:,TEXT or data:;base64,TEXT)`,
				"5:12: ignition.security.tls.certificateAuthorities[3].source: the data: URL: illegal base64 data at input byte 0 (want data:,TEXT or data:;base64,TEXT)",
				`6:38: ignition.security.tls.certificateAuthorities[4].compression: compression "xz" is not known (want gzip, or nothing)`,
				"7:12: ignition.security.tls.certificateAuthorities[5]: the text cannot be unpacked: unexpected EOF",
				`8:48: ignition.security.tls.certificateAuthorities[6].verification.hash: digest "md5-00" is of no known kind (want sha256- or sha512- with the digest of the text in hexadecimal)`,
				`9:48: ignition.security.tls.certificateAuthorities[7].verification.hash: the text has the digest sha512-a4abd4448c49562d828115d13a1fccea927f52b4d5459297f8b43e42da89238bc13626e43dcb38ddb082488927ec904fb42057443983e88585179d50551afe62 (want sha256- or sha512- with the digest of the text in hexadecimal)`,
				`10:23: ignition.security.tls.certificateAuthorities[8].inline: Ignition has no key "inline" here, or not for this system`,
			},
		},
		{name: "no version", in: `{"ignition": {}}`, format: userdata.Ignition, want: `{}`, faults: []string{"1:14: ignition.version: the version is missing (want 3.0.0 to 3.6.0)"}},
		{name: "old version", in: `{"ignition": {"version": "2.3.0"}}`, format: userdata.Ignition, want: `{}`, faults: []string{"1:26: ignition.version: version 2.3.0 is not read here (want 3.0.0 to 3.6.0)"}},
		{name: "experimental version", in: `{"ignition": {"version": "3.6.0-experimental"}}`, format: userdata.Ignition, want: `{}`, faults: []string{"1:26: ignition.version: version 3.6.0-experimental is not read here (want 3.0.0 to 3.6.0)"}},
		{name: "odd version", in: `{"ignition": {"version": "3"}}`, format: userdata.Ignition, want: `{}`, faults: []string{`1:26: ignition.version: version "3" is not of the form 3.4.0 (want 3.0.0 to 3.6.0)`}},
		{
			name: "Butane that is not read", format: userdata.Butane, want: `{}`,
			in: "variant: fcos\nversion: 1.6.0\nstorage:\n  trees:\n    - local: x\n  files:\n    - path: /etc/hostname\n      contents:\n        local: x\n        Inline: y\nignition:\n  version: 3.4.0\nboot_device:\n  layout: x\nkernelArguments: {}\nkernel_arguments:\n  should_exist: [x]\n",
			faults: []string{
				"5:7: storage.trees[0]: Butane" + noSetting + "(files are rendered from settings, see apiclient schema; programs and their files belong into containers, see settings.host-containers)",
				"9:9: storage.files[0].contents.local: Butane" + noSetting + "(butane reads such files; give its result, or the text itself as inline)",
				`10:9: storage.files[0].contents.Inline: Butane has no key "Inline" here, or not for this system`,
				`11:1: ignition.version: Butane has no key "ignition" here, or not for this system`,
				"13:1: boot_device: Butane" + noSetting + "(the system lays out its own disk; a container of settings.bootstrap-containers may prepare others)",
				`15:1: kernelArguments: Butane has no key "kernelArguments" here, or not for this system`,
				"16:1: kernel_arguments: Butane" + noSetting + "(set settings.boot.kernel)",
			},
		},
		{name: "Butane of another variant", in: "variant: openshift\nversion: 4.8.0\n", format: userdata.Butane, want: `{}`, faults: []string{`1:10: variant: variant "openshift" is not read here (want one of fcos, fiot, flatcar, r4e)`}},
		{name: "Butane of another version", in: "variant: flatcar\nversion: 1.9.0\n", format: userdata.Butane, want: `{}`, faults: []string{`2:10: version: version "1.9.0" of flatcar is not read here (want 1.0.0 to 1.1.0)`}},
	})
}
