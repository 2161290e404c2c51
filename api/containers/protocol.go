// Package containers asks the container service of a node about its containers,
// and has it start, stop and enter them.
//
// The service is started for those who connect to its Unix socket, and ends when
// nobody has for a while. A connection carries one request: a Request as a line of
// JSON, the archive if one follows, and then Answers, a line of JSON each, of which
// the last has Done or an error. Where a program runs in a container, its frames
// follow the Answer that says so: see Stream.
package containers

import "time"

// Socket is where the service listens.
const Socket = "/run/bulkhead/containers.sock"

// A Kind is what a container is for.
type Kind string

// The kinds.
const (
	Host      Kind = "host"      // serves the operators of the node
	Bootstrap Kind = "bootstrap" // prepares the node while it boots
	Declared  Kind = "declared"  // does what the node is for
	Debug     Kind = "debug"     // for as long as somebody looks into something
)

// An Operation is what the service is asked to do.
type Operation string

// The operations.
const (
	List    Operation = "list"
	Start   Operation = "start"
	Stop    Operation = "stop"
	Restart Operation = "restart"
	Pull    Operation = "pull"  // fetch an image
	Load    Operation = "load"  // take an image for a debug container from the caller
	Exec    Operation = "exec"  // run a program in a container
	Launch  Operation = "debug" // run a program in a container of its own
)

// A Request asks for an operation.
type Request struct {
	Operation Operation `json:"operation"`
	Actor     string    `json:"actor,omitempty"` // who asks, for the log

	Name         string    `json:"name,omitempty"`         // of the container
	Image        string    `json:"image,omitempty"`        // of Pull and Launch
	Proxy        Proxy     `json:"proxy,omitzero"`         // by which images are fetched
	Command      [][]byte  `json:"command,omitempty"`      // of Exec and Launch; for the latter none is what the image says
	Terminal     *Terminal `json:"terminal,omitempty"`     // of Exec and Launch
	Superpowered bool      `json:"superpowered,omitempty"` // of Launch
	Size         int64     `json:"size,omitempty"`         // of Load: the length of the archive
}

// A Proxy is by what way an image is fetched.
type Proxy struct {
	HTTPS  string   `json:"https,omitempty"`
	Direct []string `json:"direct,omitempty"`
}

// A Terminal is what a program runs on; zeroes are the usual size.
type Terminal struct {
	Rows uint16 `json:"rows,omitempty"`
	Cols uint16 `json:"cols,omitempty"`
}

// A State is what becomes of a container.
type State string

// The states.
const (
	Off      State = "off"      // the settings do not want it
	Starting State = "starting" // its image is fetched, for example
	Running  State = "running"
	Stopping State = "stopping"
	Waiting  State = "waiting" // it has ended, and is started again soon
	Stopped  State = "stopped"
	Failed   State = "failed"
)

// A Container is one of a node.
type Container struct {
	Name         string     `json:"name"`
	Kind         Kind       `json:"kind"`
	Unit         string     `json:"unit,omitempty"` // that runs it, and has what it writes in the journal
	Image        string     `json:"image,omitempty"`
	Digest       string     `json:"digest,omitempty"` // of the image that it was made from
	State        State      `json:"state"`
	Started      *time.Time `json:"started,omitempty"`
	ExitStatus   *int       `json:"exit_status,omitempty"` // when it has ended
	Restarts     int        `json:"restarts"`
	Superpowered bool       `json:"superpowered,omitempty"`
}

// An Image is one that is on the node.
type Image struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// A Progress says how far the fetching of an image is.
type Progress struct {
	Done  int64 `json:"done"`  // bytes
	Total int64 `json:"total"` // as far as it is known
}

// A Code says why a request is not carried out.
type Code string

// The codes.
const (
	Invalid    Code = "invalid"     // the request itself
	Unknown    Code = "unknown"     // there is no such container, or image
	NotRunning Code = "not-running" // the container does not run
	Busy       Code = "busy"        // as much goes on as may
	Failure    Code = "failed"
)

// An Answer is what the service says.
type Answer struct {
	Code   Code   `json:"code,omitempty"` // empty when all is well
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"`

	Containers []Container `json:"containers,omitempty"`
	Image      *Image      `json:"image,omitempty"`
	Progress   *Progress   `json:"progress,omitempty"`
	Done       bool        `json:"done,omitempty"`
}

// A Refusal is an Answer that is an error.
type Refusal struct {
	Code         Code
	Detail, Hint string
}

// Error returns what is wrong.
func (r *Refusal) Error() string { return r.Detail }

// MaxLine is the longest line that either side sends.
const MaxLine = 1 << 20

// MaxArchive is the longest archive that is taken.
const MaxArchive = 4 << 30
