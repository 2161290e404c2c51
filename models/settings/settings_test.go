package settings_test

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

var update = flag.Bool("update", false, "write the golden files anew")

var all = schema.For(settings.Type, "", nil)

// walk calls f for every setting with its key as documentation writes it.
func walk(f func(path string, n *schema.Node)) {
	all.Root().Walk(func(path []string, n *schema.Node) {
		if len(path) > 0 {
			f("settings."+strings.Join(path, "."), n)
		}
	})
}

// The golden file is the list of all settings with their types: a setting that
// goes, or changes its type, is seen in review.
func TestCatalogue(t *testing.T) {
	var lines []string
	walk(func(path string, n *schema.Node) {
		if n.Kind != schema.Leaf {
			return
		}
		d := n.Describe()
		line := path + ": " + d.Type
		if d.Secret {
			line += ", secret"
		}
		if n.Deprecated != "" {
			line += ", deprecated"
		}
		if n.Required {
			line += ", mandatory"
		}
		for _, a := range n.Aliases {
			line += ", alias " + a
		}
		lines = append(lines, line)
		for _, m := range n.Members() {
			line := path + "[]." + m.Name + ": " + m.Type
			if m.Secret {
				line += ", secret"
			}
			lines = append(lines, line)
		}
	})
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	const golden = "testdata/catalogue.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the settings differ from %s; if that is meant, run the test with -update (-want +got):\n%s", golden, diff)
	}
}

func TestEverySettingIsDocumented(t *testing.T) {
	walk(func(path string, n *schema.Node) {
		if n.Doc == "" && !strings.HasSuffix(path, ">") {
			t.Errorf("%s has no documentation: give its field a doc comment and run shipyard generate", path)
		}
		if n.Kind != schema.Leaf {
			return
		}
		for _, m := range n.Members() {
			if m.Doc == "" {
				t.Errorf("%s[].%s has no documentation", path, m.Name)
			}
		}
		if d := n.Describe(); d.Accepts == "" && slices.Contains([]string{"string"}, d.Type) == false && len(d.Enum) == 0 && strings.HasPrefix(d.Type, "object") {
			t.Errorf("%s does not say what it accepts", path)
		}
	})
}

// A setting whose name smells of a secret is one, or is listed here with the
// reason why not.
func TestSecretsAreTyped(t *testing.T) {
	public := map[string]string{
		"settings.kubernetes.server-certificate":                                    "a certificate is public",
		"settings.containers.<name-of-a-container>.secret-env.<name-of-a-variable>": "the name of a secret",
		"settings.containers.<name-of-a-container>.secret-files":                    "names of secrets",
	}
	smells := regexp.MustCompile(`password|secret|token|private|credentials$|auth$|-key$|user-data`)
	walk(func(path string, n *schema.Node) {
		if n.Kind != schema.Leaf {
			return
		}
		if smells.MatchString(path) && !n.HoldsSecrets() && public[path] == "" {
			t.Errorf("%s is not typed as a secret", path)
		}
		for _, m := range n.Members() {
			if smells.MatchString(m.Name) && !m.Secret {
				t.Errorf("%s[].%s is not typed as a secret", path, m.Name)
			}
		}
	})
}

// Every example in a rule is accepted by the type it belongs to.
func TestExamplesAreAccepted(t *testing.T) {
	walk(func(path string, n *schema.Node) {
		if n.Kind != schema.Leaf {
			return
		}
		for _, e := range n.Describe().Examples {
			if fault := all.Accepts(n, e); fault != "" {
				t.Errorf("%s: the example %q is refused: %s", path, e, fault)
			}
		}
	})
}
