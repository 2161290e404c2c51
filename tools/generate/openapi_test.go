package generate_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bulkhead-os/bulkhead/api"
)

// The description of the API is valid OpenAPI by the rules of an independent
// implementation.
func TestAPIDescriptionIsValid(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		t.Fatalf("load api/openapi.yaml: %v", err)
	}
	if err := doc.Validate(t.Context(), openapi3.DisableExamplesValidation()); err != nil {
		t.Errorf("api/openapi.yaml: %v", err)
	}
	if n := doc.Paths.Len(); n < 20 {
		t.Errorf("api/openapi.yaml has %d paths, want those of the API", n)
	}
}
