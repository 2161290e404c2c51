package openapi_test

import (
	"flag"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api"
	"github.com/bulkhead-os/bulkhead/api/openapi"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

var update = flag.Bool("update", false, "write api/openapi.yaml anew")

// The description that is checked in, and that nodes serve, is made from the
// routes and the settings as they are.
func TestDocumentIsFresh(t *testing.T) {
	doc, err := openapi.Document(server.Routes(), schema.For(settings.Type, "", nil).JSONSchema(document.Document{}))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("../openapi.yaml", doc, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(string(doc), "\n"), strings.Split(string(api.OpenAPI), "\n")); diff != "" {
		t.Errorf("api/openapi.yaml is stale, go test ./api/openapi -update writes it anew (-want +got):\n%.4000s", diff)
	}
}

// The description names exactly what the router takes.
func TestDocumentHasTheRoutesOfTheRouter(t *testing.T) {
	doc, err := openapi.Document(server.Routes(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, rt := range server.Routes() {
		want = append(want, rt.Method+" "+rt.Path)
		if rt.Summary == "" || rt.Status == 0 || (rt.Answer == "") != (rt.Status == http.StatusNoContent || rt.Status == http.StatusSwitchingProtocols) {
			t.Errorf("route %s %s is not described in full: %+v", rt.Method, rt.Path, rt)
		}
	}
	path := ""
	for line := range strings.Lines(string(doc)) {
		name, isName := strings.CutSuffix(strings.TrimRight(line, "\n"), ":")
		switch {
		case isName && strings.HasPrefix(name, "  /"):
			path = name[2:]
		case isName && path != "" && strings.HasPrefix(name, "    ") && name[4] != ' ':
			got = append(got, strings.ToUpper(name[4:])+" "+path)
		case isName && name == "components":
			path = ""
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-router +document):\n%s", diff)
	}
}

func TestDocumentRefusesABrokenSchema(t *testing.T) {
	if _, err := openapi.Document(nil, []byte("{")); err == nil {
		t.Error("Document with half a schema: no error")
	}
}
