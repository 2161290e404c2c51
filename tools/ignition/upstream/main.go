// Command upstream says what Ignition and Butane themselves think of
// configurations. It reads a list of them in JSON and writes a list of verdicts.
//
// It is a module of its own, so that nothing else depends on theirs.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	butane "github.com/coreos/butane/config"
	"github.com/coreos/butane/config/common"
	ignition "github.com/coreos/ignition/v2/config"
)

// A question is one configuration.
type question struct {
	Butane bool   `json:"butane"`
	Text   string `json:"text"`
}

// A verdict says whether it is valid, and why not.
type verdict struct {
	Valid    bool   `json:"valid"`
	Report   string `json:"report"`
	Ignition string `json:"ignition,omitempty"` // what Butane makes of it
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

func run() error {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		return err
	}
	verdicts := make([]verdict, len(questions))
	for i, q := range questions {
		verdicts[i] = judge(q)
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

func judge(q question) verdict {
	text, report := []byte(q.Text), ""
	if q.Butane {
		made, r, err := butane.TranslateBytes(text, common.TranslateBytesOptions{})
		report = r.String()
		if err != nil {
			return verdict{Report: fmt.Sprint(report, err)}
		}
		text = made
	}
	_, r, err := ignition.Parse(text)
	v := verdict{Valid: err == nil, Report: report + r.String()}
	if err != nil {
		v.Report += err.Error()
	}
	if q.Butane {
		v.Ignition = string(text)
	}
	return v
}
