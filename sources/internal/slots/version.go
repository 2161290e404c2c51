package slots

import (
	"cmp"
	"strings"
)

// compareVersions orders versions as the loader does (UAPI group, "Version
// Format Specification").
func compareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, isNoise), strings.TrimLeftFunc(b, isNoise)
		if mark := firstMark(a, b, "~"); mark != "" {
			if r := compareMark(a, b, mark); r != 0 {
				return r
			}
			a, b = a[1:], b[1:]
			continue
		}
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		if mark := firstMark(a, b, "-^."); mark != "" {
			if r := compareMark(a, b, mark); r != 0 {
				return r
			}
			a, b = a[1:], b[1:]
			continue
		}
		part, differ := isLetter, strings.Compare
		if isDigit(a[0]) || isDigit(b[0]) {
			part, differ = isDigit, compareNumbers
		}
		x, y := leading(a, part), leading(b, part)
		if r := differ(x, y); r != 0 {
			return r
		}
		a, b = a[len(x):], b[len(y):]
	}
}

// firstMark returns the first of marks that a or b begins with.
func firstMark(a, b, marks string) string {
	for _, m := range strings.Split(marks, "") {
		if strings.HasPrefix(a, m) || strings.HasPrefix(b, m) {
			return m
		}
	}
	return ""
}

// compareMark puts what begins with a mark before what does not.
func compareMark(a, b, mark string) int {
	x, y := strings.HasPrefix(a, mark), strings.HasPrefix(b, mark)
	switch {
	case x == y:
		return 0
	case x:
		return -1
	}
	return 1
}

func compareNumbers(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(a), len(b))
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func leading(s string, is func(byte) bool) string {
	i := 0
	for i < len(s) && is(s[i]) {
		i++
	}
	return s[:i]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isNoise(r rune) bool {
	return r > 127 || !isDigit(byte(r)) && !isLetter(byte(r)) && !strings.ContainsRune("-.~^", r)
}
