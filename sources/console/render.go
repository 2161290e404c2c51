package console

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/screen"
)

// States of a node, as the API calls them, and one for when it says nothing.
const (
	stateOK       = "ok"
	stateStarting = "starting"
	stateSilent   = "silent"
)

// A status is what the console shows of a node.
type status struct {
	Version string
	Variant string
	Host    string
	Links   []link
	Remote  *remote // nil when the API answers on the node only
	Code    string  // that opens a node which waits for its first settings
	State   string  // ok, starting, degraded or silent
	Faults  []report.Fault
}

// A link is a network interface with its addresses.
type link struct {
	Name      string
	Addresses []string // with the lengths of their prefixes
}

// A remote is how the API is reached from elsewhere.
type remote struct {
	Listen      []string `json:"listen"`
	Fingerprint string   `json:"fingerprint"` // SHA-256 of the server's certificate, in hexadecimal
}

const (
	maxFaults = 8   // that are shown; GET /health has them all
	maxText   = 300 // bytes of a text that others wrote
	column    = "  %-12s %s\n"
)

// render returns the status as lines for people. The first one is what programs
// wait for.
func render(s status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "bulkhead %s (%s) is %s\n", plain(s.Version), plain(s.Variant), sentence(s))
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, column, name, plain(fmt.Sprintf(format, args...)))
	}
	row("host", "%s", s.Host)
	for _, l := range s.Links {
		row("address", "%s on %s", strings.Join(l.Addresses, ", "), l.Name)
	}
	if len(s.Links) == 0 {
		row("address", "none")
	}
	switch {
	case s.State == stateSilent:
	case s.Remote == nil:
		row("api", "on this node only")
	default:
		row("api", "https on %s", strings.Join(s.Remote.Listen, ", "))
		row("fingerprint", "%s", s.Remote.Fingerprint)
	}
	if s.Code != "" {
		row("code", "%s, for the first settings of this node", s.Code)
	}
	for i, f := range s.Faults {
		if i == maxFaults {
			row("", "and %d more", len(s.Faults)-i)
			break
		}
		row(string(f.Severity), "%s", text(f))
		if f.Hint != "" {
			row("", "%s", f.Hint)
		}
	}
	return b.String()
}

// sentence says how the node is.
func sentence(s status) string {
	switch s.State {
	case stateOK:
		return "ready"
	case stateStarting:
		return "starting"
	case stateSilent:
		return "degraded: the settings API does not answer"
	}
	var grave []report.Fault
	for _, f := range s.Faults {
		if f.Severity != report.Info {
			grave = append(grave, f)
		}
	}
	switch len(grave) {
	case 0:
		return s.State
	case 1:
		return "degraded: " + plain(text(grave[0]))
	}
	return fmt.Sprintf("degraded: %s (and %d more)", plain(text(grave[0])), len(grave)-1)
}

// text returns what f says, without its hint and its severity.
func text(f report.Fault) string {
	f.Hint, f.Severity = "", report.Error
	return f.String()
}

// plain returns s as one line that a terminal shows and does not obey.
func plain(s string) string { return screen.Plain(s, maxText) }
