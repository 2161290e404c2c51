package kubepki

import (
	"crypto/rand"
	"fmt"
	"regexp"
)

// A Token is what a node shows that joins a cluster.
type Token struct{ ID, Secret string }

// NewToken makes a token.
func NewToken() Token {
	text := func(n int) string {
		const letters = "abcdefghijklmnopqrstuvwxyz234567" // 32, so that all are as likely
		b := make([]byte, n)
		rand.Read(b) // never fails
		for i := range b {
			b[i] = letters[b[i]%32]
		}
		return string(b)
	}
	return Token{ID: text(6), Secret: text(16)}
}

// String returns the token as nodes are told it.
func (t Token) String() string { return t.ID + "." + t.Secret }

var tokens = regexp.MustCompile(`^([a-z0-9]{6})\.([a-z0-9]{16})$`)

// ParseToken returns the token that is written as s.
func ParseToken(s string) (Token, error) {
	m := tokens.FindStringSubmatch(s)
	if m == nil {
		return Token{}, fmt.Errorf("bootstrap token of %d bytes: want six small letters or digits, a dot and sixteen more", len(s))
	}
	return Token{ID: m[1], Secret: m[2]}, nil
}
