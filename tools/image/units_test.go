package image

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/recipe"
)

func TestAssignments(t *testing.T) {
	const unit = `[Unit]
After=a.target b.target
[Service]
ExecStart=/usr/bin/old
ExecStart=
ExecStart=-@/usr/bin/x \
    --flag
# ExecStart=/usr/bin/comment
[Install]
After=not-this
`
	tests := []struct {
		name, section, key string
		want               []string
	}{
		{name: "list", section: "Unit", key: "After", want: []string{"a.target b.target"}},
		{name: "taken back and continued", section: "Service", key: "ExecStart", want: []string{"-@/usr/bin/x      --flag"}},
		{name: "not there", section: "Install", key: "WantedBy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := assignments([]byte(unit), tt.section, tt.key)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("assignments(%s, %s) (-want +got):\n%s", tt.section, tt.key, diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"/usr/bin/x"}, starts([]byte(unit))); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
}

func TestEnable(t *testing.T) {
	c := contents{}
	c.file(unitDir+"/a.service", []byte("[Install]\nAlias=b.service\nWantedBy=multi-user.target\nRequiredBy=x.target y.target\n"), 0o644)
	if err := c.enable("a.service"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		unitDir + "/b.service":                         "a.service",
		unitDir + "/multi-user.target.wants/a.service": "../a.service",
		unitDir + "/x.target.requires/a.service":       "../a.service",
		unitDir + "/y.target.requires/a.service":       "../a.service",
	}
	got := map[string]string{}
	for name, e := range c {
		if e.link != "" {
			got[name] = e.link
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("enable (-want +got):\n%s", diff)
	}
}

func TestEnableWhatIsNotThere(t *testing.T) {
	const want = "enable unit: " + unitDir + "/a.service: file does not exist"
	if err := (contents{}).enable("a.service"); err == nil || err.Error() != want {
		t.Errorf("enable: error %v, want %s", err, want)
	}
}

func TestDropWishes(t *testing.T) {
	c := contents{}
	for _, name := range []string{"/here.service", "/many@.service"} {
		c.file(unitDir+name, nil, 0o644)
	}
	for _, name := range []string{"here.service", "many@1.service", "gone.service"} {
		c.link(unitDir+"/basic.target.wants/"+name, "../"+name)
	}
	c.dropWishes()
	want := []string{
		unitDir + "/basic.target.wants/here.service", unitDir + "/basic.target.wants/many@1.service",
		unitDir + "/here.service", unitDir + "/many@.service",
	}
	if diff := cmp.Diff(want, c.paths()); diff != "" {
		t.Errorf("dropWishes leaves (-want +got):\n%s", diff)
	}
}

func TestWithoutProgram(t *testing.T) {
	packages := []*recipe.Package{{Name: "p", Units: []recipe.Unit{
		{Name: "good.service", File: "good.service"}, {Name: "bad.service", File: "bad.service"}, {Name: "theirs.service"},
	}}}
	c := contents{}
	c.file("/usr/bin/good", nil, 0o755)
	c.file(unitDir+"/good.service", []byte("[Service]\nExecStart=!/usr/bin/good run\n"), 0o644)
	c.file(unitDir+"/bad.service", []byte("[Service]\nExecStart=/usr/bin/bad\n"), 0o644)
	got, err := c.withoutProgram(packages)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"/usr/bin/bad": {"bad.service"}}, got); diff != "" {
		t.Errorf("withoutProgram (-want +got):\n%s", diff)
	}
	if c.hasUnit("bad.service") || !c.hasUnit("good.service") {
		t.Errorf("withoutProgram leaves %q, want good.service only", c.paths())
	}
}
