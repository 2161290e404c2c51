package render

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/sprig/v3"
	"github.com/google/go-cmp/cmp"
)

// leftOut are sprig's functions that templates do not have, by reason. A new
// version of sprig makes the test fail until somebody has looked at what came
// with it.
var leftOut = map[string]string{
	"reads the clock":                           "ago date date_in_zone date_modify dateInZone dateModify durationRound htmlDate htmlDateInZone must_date_modify mustDateModify mustToDate now toDate unixEpoch",
	"reads the environment or the network":      "env expandenv getHostByName",
	"is random":                                 "randAlphaNum randAlpha randAscii randNumeric randInt randBytes shuffle uuidv4",
	"makes keys or is slow on purpose":          "bcrypt htpasswd genPrivateKey derivePassword buildCustomCert genCA genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey encryptAES decryptAES",
	"changes its argument":                      "set unset merge mergeOverwrite mustMerge mustMergeOverwrite",
	"depends on the order of a map":             "keys values",
	"multiplies its argument":                   "repeat until untilStep seq indent nindent wrap wrapWith",
	"does not take encoded text":                "sha256sum",
	"hides errors or takes zero for absent":     "default coalesce b64dec atoi get duration float64 toDecimal fromJson mustFromJson",
	"quotes for a format in a way of its own":   "quote squote toJson toPrettyJson toRawJson mustToJson mustToPrettyJson mustToRawJson",
	"computes in floats, which are not printed": "add1f addf subf divf mulf maxf minf ceil floor round",
	"is another name or form of one we have":    "trimall split splitn tuple push pluck dig deepCopy mustDeepCopy biggest mustAppend mustPush mustPrepend mustFirst mustRest mustLast mustInitial mustReverse mustUniq mustWithout mustHas mustSlice mustChunk mustCompact mustRegexMatch mustRegexFindAll mustRegexFind mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit osBase osClean osDir osExt osIsAbs typeOf typeIsLike",
	"has no use in a configuration":             "hello abbrevboth title untitle initials swapcase cat plural urlParse urlJoin",
}

func TestEverySprigFunctionIsDecided(t *testing.T) {
	decided := map[string]string{}
	for _, name := range fromSprig {
		decided[name] = "allowed"
	}
	for reason, list := range leftOut {
		for name := range strings.FieldsSeq(list) {
			if other, twice := decided[name]; twice {
				t.Errorf("%s is decided twice: %s, %s", name, other, reason)
			}
			decided[name] = reason
		}
	}
	all := sprig.TxtFuncMap()
	want, got := slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(decided))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("functions of sprig and decisions about them (-sprig +decided):\n%s", diff)
	}
}

// The page lists all functions and no others.
func TestFunctionsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/contributing-packages.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "### Settings")
	word := regexp.MustCompile(`[A-Za-z][A-Za-z0-9_]*`)
	known := map[string]bool{}
	for _, w := range word.FindAllString(text, -1) {
		known[w] = true
	}
	for name := range functions() {
		if !known[name] {
			t.Errorf("docs/contributing-packages.md does not mention the function %s", name)
		}
	}
	row := regexp.MustCompile("(?m)^\\| (`.*?`(?:, `.*?`)*) \\|")
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		for code := range strings.SplitSeq(m[1], "`") {
			if name := word.FindString(code); name != "" && functions()[name] == nil {
				t.Errorf("docs/contributing-packages.md describes the function %s, which does not exist", name)
			}
		}
	}
}
