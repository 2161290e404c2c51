package validators

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadScores(t *testing.T) {
	text := "  NAME  DESCRIPTION\n+ x\n\n→ Overall exposure level for a.service: 9.4 UNSAFE :-{\n→ Overall exposure level for b@x.service: 0.7 SAFE :-}\n"
	got, err := readScores(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{"a.service": 9.4, "b@x.service": 0.7}, got); diff != "" {
		t.Errorf("readScores(%q) (-want +got):\n%s", text, diff)
	}
}

func TestCheckExposures(t *testing.T) {
	plain := func(name string, score float64) Exposure {
		return Exposure{Service: name, Package: "p", Score: score, Most: mostExposed}
	}
	excepted := func(name string, score, most float64) Exposure {
		return Exposure{Service: name, Package: "p", Score: score, Most: most, Because: "y"}
	}
	tests := []struct {
		name    string
		list    []Exposure
		allowed map[string]exception
		want    string // part of the error; none if empty
	}{
		{name: "little", list: []Exposure{plain("a.service", 3)}},
		{name: "much", list: []Exposure{plain("a.service", 3.1)}, want: "a.service of package p is exposed by 3.1, may be by 3.0"},
		{name: "much with a reason", list: []Exposure{excepted("a.service", 9.4, 9.4)}, allowed: map[string]exception{"a.service": {9.4, "y"}}},
		{name: "more than the exception", list: []Exposure{excepted("a.service", 9.4, 9)}, allowed: map[string]exception{"a.service": {9, "y"}}, want: "exposed by 9.4, may be by 9.0"},
		{name: "no reason", list: []Exposure{excepted("a.service", 9.4, 9.4)}, allowed: map[string]exception{"a.service": {9.4, ""}}, want: "a.service: say why"},
		{name: "wide exception", list: []Exposure{excepted("a.service", 5, 9.4)}, allowed: map[string]exception{"a.service": {9.4, "y"}}, want: "is exposed by 5.0 only, not by 9.4"},
		{name: "exception for what is gone", allowed: map[string]exception{"a.service": {9.4, "y"}}, want: "no package has a.service"},
		{name: "exception for the daemon", list: []Exposure{excepted("apiserver.service", 4, 4)}, allowed: map[string]exception{"apiserver.service": {4, "y"}}, want: "apiserver.service can have no exception"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkExposures(tt.list, tt.allowed)
			if tt.want == "" {
				if err != nil {
					t.Errorf("checkExposures(%v) = %v, want no error", tt.list, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("checkExposures(%v) = %v, want %q in it", tt.list, err, tt.want)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	list := []Exposure{{Service: "b.service", Score: 9.4}, {Service: "c.service", Score: 3}, {Service: "provision.service", Score: 1.2}, {Service: "apply.service", Score: 2.6}}
	const want = "exposure of services: apply 2.6, provision 1.2; of 4 in all, 3 count at most 3.0 of 10, the others up to 9.4 (b.service), each with its reason"
	if got := Summary(list); got != want {
		t.Errorf("Summary: %q, want %q", got, want)
	}
}
