package server

import (
	"net/url"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

// What is accepted reads as the standard library reads it, but for the last of
// several counting and for semicolons, which are ordinary here.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "a=b", "a=b&a=c", "a=%41+b", "%zz=1", "a;b=c", "&&=", "tx=..%2f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		want, wantErr := url.ParseQuery(raw)
		if err != nil {
			if wantErr == nil {
				t.Errorf("parseQuery(%q): %v, the standard library accepts it", raw, err)
			}
			return
		}
		for name, values := range want {
			got, ok := q.get(name)
			if last := values[len(values)-1]; wantErr == nil && (!ok || got != last) {
				t.Errorf("parseQuery(%q): %q is %q, want %q", raw, name, got, last)
			}
		}
		if tx, err := q.transaction(); err == nil && (tx == "" || len(tx) > 64 || url.PathEscape(tx) != tx) {
			t.Errorf("query %q: transaction %q is accepted", raw, tx)
		}
	})
}

// Whatever the body, it is read or refused, and what was read prints as JSON
// and as TOML.
func FuzzPairs(f *testing.F) {
	for _, s := range []string{`{"request_payload":["motd=x"]}`, `{"request_payload":["kernel.sysctl.\"a.b\"=1"]}`, `{"request_payload":[1]}`, `[]`, `{"request_payload":["a=\u0000"]}`} {
		f.Add([]byte(s))
	}
	sch := schema.For(settings.Type, "test-dev", nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		pairs, err := parsePairs(body)
		if err != nil {
			return
		}
		if in := sch.ReadPairs(pairs); !in.Report.HasErrors() {
			_, _ = in.Patch.JSON(), in.Patch.Set.TOML()
		}
	})
}
