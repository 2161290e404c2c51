// Package scalar holds the single values that settings are made of.
//
// A value of one of its types is valid by construction: only decoding makes
// one, so code that receives one need not check it again. A value prints
// exactly as it was written, unless the catalogue of settings says that the
// type has a canonical form.
//
// Errors say what was given, what is wrong with it and what would be accepted.
// They do not name the setting; the decoder, which knows the key, adds it.
package scalar

// A Rule describes what a type accepts, for people and for JSON Schema. The
// code of the type decides; a rule never accepts less than the code does.
type Rule struct {
	Name     string            // the type's name for people: "host name"
	Want     string            // completes "want …" and "Accepts …": "lower-case letters, digits, …"
	Types    []string          // JSON types accepted: string, integer, number, boolean, array, object; empty means string
	Pattern  string            // regular expression over the whole string, in the common subset of RE2 and ECMA-262
	Enum     []string          // the only values, canonical forms
	Aliases  map[string]string // further accepted spellings and what each is stored as
	Min, Max *int64            // bounds of an integer, inclusive
	MaxBytes int               // longest string, 0 for no limit but the general one
	Examples []string          // values that are accepted, as a user writes them
}

// A Ruled type describes itself. Rule is called on the zero value.
type Ruled interface{ Rule() Rule }

// Enum returns the rule of a type that accepts exactly the given words.
func Enum(name string, words ...string) Rule {
	return Rule{Name: name, Want: "one of " + orList(words), Enum: words, Examples: words[:1]}
}

// orList joins words as in "a, b or c".
func orList(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	s := words[0]
	for _, w := range words[1 : len(words)-1] {
		s += ", " + w
	}
	return s + " or " + words[len(words)-1]
}
