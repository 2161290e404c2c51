package applier

import (
	"encoding/json"
	"time"

	"github.com/bulkhead-os/bulkhead/api/plan"
)

// A Request asks for a plan, or for one to be carried out.
type Request struct {
	Generation uint64          `json:"generation"`
	Reason     string          `json:"reason,omitempty"` // for the log
	OS         OS              `json:"os"`
	Settings   json.RawMessage `json:"settings"`          // what is in effect, nested, with secrets
	Changes    []Change        `json:"changes,omitempty"` // to be shown in the plan; without secrets
}

// OS says what image the node runs.
type OS struct {
	Variant string `json:"variant"`
	Arch    string `json:"arch"`
	Version string `json:"version"`
	Pretty  string `json:"pretty"`
	Build   string `json:"build"`
	Region  string `json:"region,omitempty"` // of the cloud, where it is known
}

// A Change is one setting that differs from what was applied before.
type Change struct {
	Key string          `json:"key"`
	Old json.RawMessage `json:"old"`
	New json.RawMessage `json:"new"`
}

// A Plan is what would be done, without the settings that change: the one who
// asks knows them.
type Plan struct {
	Files        []plan.FileChange `json:"files"`
	DaemonReload bool              `json:"daemon_reload"`
	Actions      []plan.Action     `json:"actions"`
	Units        []plan.UnitAction `json:"units"`
	Faults       []plan.Fault      `json:"faults"`
}

// An Item is one line of the answer to an apply. One of its fields is there.
type Item struct {
	File   *File   `json:"file,omitempty"`
	Action *Action `json:"action,omitempty"`
	Unit   *Unit   `json:"unit,omitempty"`
	Result *Result `json:"result,omitempty"`
}

// A Status sums an apply up.
type Status string

// How an apply ends.
const (
	OK      Status = "ok"
	Failed  Status = "failed"  // something is still to be done; the next apply does it
	Nothing Status = "nothing" // there was nothing to do
)

// A Result is what became of an apply.
type Result struct {
	ID         string       `json:"id"`
	Generation uint64       `json:"generation"` // the one carried out: that of the request, or a newer one
	Started    time.Time    `json:"started"`
	Finished   time.Time    `json:"finished"`
	Status     Status       `json:"status"`
	Error      string       `json:"error,omitempty"` // a fault of the apply as a whole
	Notes      []string     `json:"notes,omitempty"` // what was left out on purpose
	Files      []File       `json:"files"`
	Actions    []Action     `json:"actions"`
	Units      []Unit       `json:"units"`
	Faults     []plan.Fault `json:"faults"` // what could not be rendered
}

// A File is what became of a file.
type File struct {
	Path   string    `json:"path"`
	Action plan.Verb `json:"action"`
	Error  string    `json:"error,omitempty"`
}

// An Action is what became of a program that was to run.
type Action struct {
	Package string `json:"package"`
	Name    string `json:"name"`
	Error   string `json:"error,omitempty"`
	Output  string `json:"output,omitempty"` // its end
}

// A Unit is what became of a unit.
type Unit struct {
	Name    string    `json:"name"`
	Action  plan.Verb `json:"action"`          // as planned
	State   string    `json:"state,omitempty"` // afterwards: active, inactive, failed, …
	Sub     string    `json:"sub,omitempty"`   // as systemd details it
	Note    string    `json:"note,omitempty"`  // why nothing was done
	Error   string    `json:"error,omitempty"`
	Journal []string  `json:"journal,omitempty"` // the last lines, with an error
}
