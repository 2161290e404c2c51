package recipe

import (
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/bulkhead-os/bulkhead/models/key"
)

var (
	packageName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.+-]*[a-z0-9+])?$`)
	accountName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,30}$`)
	actionName  = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	license     = regexp.MustCompile(`^[A-Za-z0-9.+:() -]+$`)
	importPath  = regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]+(/[A-Za-z0-9._~-]+)+$`)
	unitName    = regexp.MustCompile(`^[A-Za-z0-9:_.\\-]+@?\.(service|socket|target|mount|timer|path|slice)$`)
	unitUse     = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]+\.(service|socket|target|mount|timer|path|slice)$`)
	octalMode   = regexp.MustCompile(`^0[0-7]{3}$`)
)

// matching returns the rule that text must match re.
func matching(re *regexp.Regexp, what string) rule {
	return func(text string) string {
		if re.MatchString(text) {
			return ""
		}
		return "is not " + what
	}
}

var (
	packageNameRule = matching(packageName, "a package name: want lower-case letters, digits, dots, + and hyphens")
	accountRule     = matching(accountName, "the name of a user or group")
	actionNameRule  = matching(actionName, "the name of an action: want lower-case letters, digits and hyphens")
	licenseRule     = matching(license, "an SPDX expression")
	importRule      = matching(importPath, "an import path")
	unitNameRule    = matching(unitName, "the name of a unit or of a template unit: want chrony.service or x@.service")
	unitUseRule     = matching(unitUse, "the name of a unit: want chrony.service")
	modeRule        = matching(octalMode, "a mode: want four octal digits, as in 0644")
)

func mode(text string) fs.FileMode {
	v, _ := strconv.ParseUint(text, 8, 12) // modeRule has accepted it
	return fs.FileMode(v)
}

func lineRule(text string) string {
	if text == "" {
		return "is empty"
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "has a control character"
	}
	return ""
}

// absoluteRule accepts a path as it stands in the image.
func absoluteRule(text string) string {
	switch {
	case !path.IsAbs(text):
		return "is not an absolute path"
	case path.Clean(text) != text || text == "/":
		return "is not the shortest form of the path of a file"
	}
	return lineRule(text)
}

func globRule(text string) string {
	if fault := absoluteRule(text); fault != "" {
		return fault
	}
	if _, err := path.Match(text, ""); err != nil {
		return "is not a pattern"
	}
	return ""
}

// localRule accepts the name of a file beside package.toml.
func localRule(text string) string {
	if !fs.ValidPath(text) || text == "." || strings.HasPrefix(text, "testdata") {
		return "is not the name of a file in the directory of the package"
	}
	return lineRule(text)
}

func templateRule(text string) string {
	if !strings.HasSuffix(text, ".tmpl") {
		return "is not the name of a template: want a name that ends in .tmpl"
	}
	return localRule(text)
}

func keyRule(text string) string {
	k, err := key.Parse(text)
	switch {
	case err != nil:
		return "is not the name of a setting: " + err.Error()
	case k.IsRoot():
		return "names all settings: want one, or a table of them"
	}
	return ""
}

func conditionRule(text string) string {
	rest, _ := strings.CutPrefix(text, ".")
	return keyRule(rest)
}

// condition reads what conditionRule has accepted.
func condition(text string) Condition {
	if rest, ok := strings.CutPrefix(text, "."); ok {
		return Condition{Key: member(rest), Member: true}
	}
	k, _ := key.Parse(text)
	return Condition{Key: k}
}

// member returns the key of a member; a leading "settings" is a name like any
// other here.
func member(text string) key.Key {
	k, _ := key.Parse(key.Root + "." + text)
	return k
}

// IsTemplate reports whether a path or the name of a unit has something to fill
// in.
func IsTemplate(text string) bool { return strings.Contains(text, "{{") }
