package render

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func fallback(d, v any) any {
	if v == nil {
		return d
	}
	return v
}

func coalesce(vs ...any) any {
	for _, v := range vs {
		if v != nil {
			return v
		}
	}
	return nil
}

func negate(d bool, v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return d, nil
	case bool:
		return !v, nil
	}
	return false, fmt.Errorf("want a bool, got %s", describe(v))
}

func isEnabled(v any) bool {
	m, _ := v.(map[string]any)
	return m["enabled"] == true
}

func anyEnabled(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, entry := range v {
			if isEnabled(entry) {
				return true
			}
		}
	case []any:
		for _, entry := range v {
			if isEnabled(entry) {
				return true
			}
		}
	}
	return false
}

func values(m map[string]any) []any {
	out := make([]any, 0, len(m))
	for _, name := range names(m) {
		out = append(out, m[name])
	}
	return out
}

// joinMap joins the entries of a map. What would be read as more or as other
// entries than there are is refused.
func joinMap(assign, separator string, m any) (string, error) {
	table, err := tableOrNothing(m)
	if err != nil {
		return "", err
	}
	var out []string
	for _, name := range names(table) {
		text, err := single(table[name])
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		if assign != "" && strings.Contains(name, assign) {
			return "", unfit(name, "name %s has %q in it", assign)
		}
		if separator != "" && (strings.Contains(name, separator) || strings.Contains(text, separator)) {
			return "", unfit(name+assign+text, "entry %s has %q in it", separator)
		}
		out = append(out, name+assign+text)
	}
	return strings.Join(out, separator), nil
}

func tableOrNothing(v any) (map[string]any, error) {
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, fmt.Errorf("want a table, got %s", describe(v))
	}
	return m, nil
}

func listOrNothing(v any) ([]any, error) {
	l, ok := v.([]any)
	if !ok && v != nil {
		return nil, fmt.Errorf("want a list, got %s", describe(v))
	}
	return l, nil
}

func base64Decoded(s string) (string, error) {
	if n := base64.StdEncoding.DecodedLen(len(s)); n > maxOutput+2 {
		return "", fmt.Errorf("base64 text holds %d bytes, want at most %d", n, maxOutput)
	}
	if strings.ContainsAny(s, "\r\n") { // the decoder would leave them out
		return "", fmt.Errorf("base64 text has the end of a line in it")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return "", fmt.Errorf("text is not base64") // which may be a secret
	}
	return string(b), nil
}

// digest returns the SHA-256 of text, also of what an encoder wrote: that is
// how a file comes to change with a setting which is in no line of it.
func digest(v any) (string, error) {
	text, isEncoded := v.(encoded)
	if !isEncoded {
		s, err := single(v)
		if err != nil {
			return "", err
		}
		text = encoded(s)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:]), nil
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, unfit(s, "%s is no duration: want a form such as 1h30m")
	}
	return d, nil
}

func duration(s string) (string, error) {
	d, err := parseDuration(s)
	return d.String(), err
}

func seconds(s string) (int64, error) {
	d, err := parseDuration(s)
	return int64(d / time.Second), err
}

func goarch(s string) (string, error) {
	switch s {
	case "x86_64", "amd64":
		return "amd64", nil
	case "aarch64", "arm64":
		return "arm64", nil
	}
	return "", fmt.Errorf("architecture %q is not known, want x86_64 or aarch64", s)
}

// urlHost returns the host of a URL, or of a host with a port.
func urlHost(s string) (string, error) {
	address := s
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return "", unfit(s, "URL %s has no host")
	}
	return u.Hostname(), nil
}

// address reads an address, alone or with the length of its network.
func address(s string) (netip.Addr, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Addr(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, unfit(s, "%s is no IP address")
	}
	return a, nil
}

func cidrIP(s string) (string, error) {
	a, err := address(s)
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

func isIPv4(s string) bool { a, err := address(s); return err == nil && a.Is4() }
func isIPv6(s string) bool { a, err := address(s); return err == nil && a.Is6() }

// cpuPercent gives the number of processors s as systemd counts their time: 150%
// for "1.5".
func cpuPercent(s string) (string, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0 && n < 1e6) {
		return "", fmt.Errorf("%q is no number of processors", s)
	}
	return fmt.Sprintf("%.0f%%", n*100), nil
}
