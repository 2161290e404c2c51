package render

import (
	"fmt"
	"slices"
	"strings"
)

// A host is an address with its names.
type host struct {
	address string
	names   []string
}

// hosts reads settings.network.hosts: a list of pairs of an address and a list
// of names. Entries for the same address become one, at the place of the first.
func hosts(v any) ([]host, error) {
	entries, err := listOrNothing(v)
	if err != nil {
		return nil, err
	}
	var out []host
	for i, e := range entries {
		pair, _ := e.([]any)
		if len(pair) != 2 {
			return nil, fmt.Errorf("entry %d is not a pair of an address and names", i)
		}
		addr, ok := pair[0].(string)
		aliases, isList := pair[1].([]any)
		if !ok || !isList {
			return nil, fmt.Errorf("entry %d is not a pair of an address and names", i)
		}
		h := host{address: addr}
		for _, a := range aliases {
			name, err := word(a)
			if err != nil {
				return nil, fmt.Errorf("name of %s: %w", addr, err)
			}
			h.names = append(h.names, string(name))
		}
		if _, err := address(addr); err != nil {
			return nil, err
		}
		at := slices.IndexFunc(out, func(o host) bool { return o.address == addr })
		if at < 0 {
			out = append(out, h)
		} else {
			out[at].names = append(out[at].names, h.names...)
		}
	}
	return out, nil
}

// isLocalhost reports whether the address has a line of its own in /etc/hosts
// already.
func isLocalhost(address string) bool { return address == "127.0.0.1" || address == "::1" }

func hostsEntries(v any) (encoded, error) {
	all, err := hosts(v)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, h := range all {
		if !isLocalhost(h.address) && len(h.names) > 0 {
			b.WriteString(h.address + " " + strings.Join(h.names, " ") + "\n")
		}
	}
	return encoded(b.String()), nil
}

func localhostAliases(address string, v any) (encoded, error) {
	all, err := hosts(v)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, h := range all {
		if h.address == address {
			for _, n := range h.names {
				b.WriteString(" " + n)
			}
		}
	}
	return encoded(b.String()), nil
}
