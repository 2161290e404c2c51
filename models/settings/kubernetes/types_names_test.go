package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

func TestParseClusterName(t *testing.T) {
	valuetest.Texts(t, kubernetes.ParseClusterName, []valuetest.Text{
		{Name: "one letter", In: "a"},
		{Name: "newer form, ends with a hyphen", In: "prod-"},
		{Name: "newer form, longest", In: strings.Repeat("a", 100)},
		{Name: "older form, dots", In: "eu.prod_1"},
		{Name: "older form, longest with a dot", In: "a." + strings.Repeat("a", 61)},
		{Name: "starts with a digit", In: "1prod"},
		{Name: "empty", In: "", Want: `cluster name "" is empty`},
		{Name: "too long", In: strings.Repeat("a", 101), Want: `cluster name "` + strings.Repeat("a", 80) + `…" has 101 bytes, more than 100`},
		{
			Name: "too long with a dot", In: "a." + strings.Repeat("a", 62),
			Want: `cluster name "a.` + strings.Repeat("a", 62) + `" holds a dot and has 64 bytes, more than 63`,
		},
		{Name: "dot and hyphen at the end", In: "a.b-", Want: `cluster name "a.b-" holds a dot and ends with "-"`},
		{Name: "leading hyphen", In: "-a", Want: `cluster name "-a" starts with "-"`},
		{Name: "leading dot", In: ".a", Want: `cluster name ".a" starts with "."`},
		{Name: "space", In: "a b", Want: `cluster name "a b" holds " "`},
		{Name: "newline at the end", In: "a\n", Want: `cluster name "a\n" holds "\n"`},
		{Name: "other script", In: "кластер", Want: `cluster name "кластер" holds "к"`},
		{Name: "not UTF-8", In: "a\xff", Want: `cluster name "a\xff" holds "\xff"`},
	})
}

func TestParseLabelKey(t *testing.T) {
	valuetest.Texts(t, kubernetes.ParseLabelKey, []valuetest.Text{
		{Name: "name alone", In: "rack"},
		{Name: "prefix", In: "topology.kubernetes.io/zone"},
		{Name: "prefix of punctuation", In: "-./a"},
		{Name: "longest", In: strings.Repeat("p", 253) + "/" + strings.Repeat("n", 63)},
		{Name: "empty", In: "", Want: `label key "" is empty`},
		{Name: "nothing before the slash", In: "/a", Want: `label key "/a" has nothing before the slash`},
		{Name: "nothing after the slash", In: "a/", Want: `label key "a/" has nothing after the slash`},
		{Name: "two slashes", In: "a/b/c", Want: `label key "a/b/c" holds "/"`},
		{Name: "underscore in the prefix", In: "a_b/c", Want: `label key "a_b/c" holds "_" before the slash`},
		{Name: "name too long", In: strings.Repeat("n", 64), Want: `label key "` + strings.Repeat("n", 64) + `" has a name of 64 bytes, more than 63`},
		{
			Name: "prefix too long", In: strings.Repeat("p", 254) + "/n",
			Want: `label key "` + strings.Repeat("p", 80) + `…" has 254 bytes before the slash, more than 253`,
		},
		{Name: "ends with a hyphen", In: "a-", Want: `label key "a-" ends with "-"`},
		{Name: "starts with a dot", In: ".a", Want: `label key ".a" starts with "."`},
	})
}

func TestParseLabelValue(t *testing.T) {
	valuetest.Texts(t, kubernetes.ParseLabelValue, []valuetest.Text{
		{Name: "empty", In: ""},
		{Name: "longest", In: strings.Repeat("v", 63)},
		{Name: "inner punctuation", In: "a-._b"},
		{Name: "too long", In: strings.Repeat("v", 64), Want: `label value "` + strings.Repeat("v", 64) + `" has a name of 64 bytes, more than 63`},
		{Name: "comma", In: "a,b", Want: `label value "a,b" holds ","`},
		{Name: "ends with a dot", In: "a.", Want: `label value "a." ends with "."`},
	})
}

func TestParseTaint(t *testing.T) {
	valuetest.Texts(t, kubernetes.ParseTaint, []valuetest.Text{
		{Name: "value and effect", In: "gpu:NoSchedule"},
		{Name: "no value", In: ":NoExecute"},
		{Name: "unknown effect", In: "a:Whatever"},
		{Name: "longest", In: strings.Repeat("v", 63) + ":" + strings.Repeat("e", 253)},
		{Name: "no colon", In: "value", Want: `taint "value" has no colon before its effect`},
		{Name: "no effect", In: "value:", Want: `taint "value:" has no effect after the colon`},
		{Name: "empty", In: "", Want: `taint "" has no colon before its effect`},
		{Name: "hyphen in the effect", In: "a:No-Schedule", Want: `taint "a:No-Schedule" has an effect that holds "-"`},
		{Name: "two colons", In: "a:b:c", Want: `taint "a:b:c" has an effect that holds ":"`},
		{Name: "bad value", In: "-a:NoSchedule", Want: `taint "-a:NoSchedule" has a value that starts with "-"`},
		{
			Name: "effect too long", In: ":" + strings.Repeat("e", 254),
			Want: `taint ":` + strings.Repeat("e", 79) + `…" has an effect of 254 bytes, more than 253`,
		},
	})
}

func TestTaintParts(t *testing.T) {
	taint := *valuetest.Parse[kubernetes.Taint](t, "gpu:NoSchedule")
	if taint.Value() != "gpu" || taint.Effect() != "NoSchedule" {
		t.Errorf("taint %q: Value() = %q, Effect() = %q, want gpu, NoSchedule", taint, taint.Value(), taint.Effect())
	}
}

func TestTaintsReshape(t *testing.T) {
	single := valuetest.Strings("a:NoSchedule").Items[0]
	got := kubernetes.Taints(nil).Reshape(single)
	if len(got.Items) != 1 || got.Items[0] != single {
		t.Errorf("Reshape(%s) = %s with %d items, want a list of that one", single.Describe(), got.Describe(), len(got.Items))
	}
	list := valuetest.Strings("a:NoSchedule", "b:NoSchedule")
	if got := kubernetes.Taints(nil).Reshape(list); got != list {
		t.Errorf("Reshape of a list = %s, want the list itself", got.Describe())
	}
}

func TestTaintsCheckList(t *testing.T) {
	err := kubernetes.Taints{}.CheckList()
	if got, want := valuetest.ErrorText(err), "list of taints is empty, want at least one"; got != want {
		t.Errorf("CheckList() of no taints: error %q, want %q", got, want)
	}
	if err := (kubernetes.Taints{kubernetes.Taint{}}).CheckList(); err != nil {
		t.Errorf("CheckList() of one taint: %v", err)
	}
}

// Whatever is accepted comes back unchanged, matches its rule, and cannot end a
// word or a line of the kubelet's command.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a", "a.b/c", "gpu:NoSchedule", "a\n", "-", "a b", "кластер", strings.Repeat("a", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		accepted(t, s, kubernetes.ParseClusterName)
		accepted(t, s, kubernetes.ParseLabelKey)
		accepted(t, s, kubernetes.ParseLabelValue)
		accepted(t, s, kubernetes.ParseTaint)
		accepted(t, s, kubernetes.ParseBootstrapToken)
		accepted(t, s, kubernetes.ParseRuntimeEndpoint)
		accepted(t, s, kubernetes.ParseCPUSet)
		accepted(t, s, kubernetes.ParseDuration)
		accepted(t, s, kubernetes.ParseQuantity)
		accepted(t, s, kubernetes.ParseThreshold)
	})
}

// accepted checks s where parse accepts it.
func accepted[T valuetest.Value](t *testing.T, s string, parse func(string) (T, error)) {
	t.Helper()
	v, err := parse(s)
	if err != nil {
		return
	}
	valuetest.PrintsAs(t, v, s)
	if i := strings.IndexAny(s, " \t\r\n\"'`$\\;#{}"); i >= 0 {
		t.Errorf("%T accepted %q, which holds %q", v, s, s[i])
	}
}
