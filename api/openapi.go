// Package api holds the description of the settings API, made from its routes
// and from the types of settings.
package api

import _ "embed"

// OpenAPI is the description, in the form of OpenAPI.
//
//go:embed openapi.yaml
var OpenAPI []byte
