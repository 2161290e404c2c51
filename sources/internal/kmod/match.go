package kmod

import "strings"

// match reports whether s fits pattern, in which * stands for any text, ? for
// one byte and [a-c] for one of some bytes. Hyphens were made underscores by
// the caller, so a range is written [a_c].
func match(pattern, s string) bool {
	// When a * matched too little, the search goes on from here with one more.
	var retryPattern, retryText string
	star := false
	for {
		head, rest, ok := one(pattern, s)
		switch {
		case pattern == "" && s == "":
			return true
		case strings.HasPrefix(pattern, "*"):
			pattern = pattern[1:]
			star, retryPattern, retryText = true, pattern, s
		case ok:
			pattern, s = head, rest
		case star && retryText != "":
			retryText = retryText[1:]
			pattern, s = retryPattern, retryText
		default:
			return false
		}
	}
}

// one matches the first element of pattern, which is no *, with the first byte
// of s, and returns what is left of both.
func one(pattern, s string) (restPattern, rest string, ok bool) {
	if pattern == "" || s == "" {
		return "", "", false
	}
	switch pattern[0] {
	case '?':
		return pattern[1:], s[1:], true
	case '[':
		set, after, closed := strings.Cut(pattern[1:], "]")
		return after, s[1:], closed && inSet(set, s[0])
	}
	return pattern[1:], s[1:], pattern[0] == s[0]
}

func inSet(set string, b byte) bool {
	for set != "" {
		if len(set) >= 3 && set[1] == '_' {
			if set[0] <= b && b <= set[2] {
				return true
			}
			set = set[3:]
			continue
		}
		if set[0] == b {
			return true
		}
		set = set[1:]
	}
	return false
}
