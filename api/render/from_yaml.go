package render

import (
	"fmt"

	yamllib "go.yaml.in/yaml/v3"
)

// fromYAML gives the table that is written in YAML or JSON as s.
func fromYAML(s string) (map[string]any, error) {
	table := map[string]any{}
	if err := yamllib.Unmarshal([]byte(s), &table); err != nil {
		return nil, fmt.Errorf("text is no table in YAML: %w", err)
	}
	return table, nil
}
