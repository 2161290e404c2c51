// Package updater asks the updater of a node to find, fetch and activate updates,
// and reads what has become of that.
//
// The updater is started for each request, over a Unix socket that only the
// settings daemon may use. A connection carries one request: a Request as a line
// of JSON, then the bundle if there is one, and then an Answer as a line of JSON.
// The answer says whether the work has begun; the rest is in the Status, a file
// that the updater replaces as it goes on and that outlives reboots.
package updater

import "time"

// An Action is what the updater is asked to do.
type Action string

// The actions. Refresh, Prepare, Activate and Deactivate are those of the update
// API, see api.md 7.
const (
	Refresh    Action = "refresh"    // look what there is
	Prepare    Action = "prepare"    // write the chosen version into the slot that does not run
	Activate   Action = "activate"   // start it at the next boot
	Deactivate Action = "deactivate" // do not, but keep what was written
	Apply      Action = "apply"      // Refresh, Prepare and Activate, and then a reboot if wanted
	Rollback   Action = "rollback"   // go back to the version of the other slot at the next boot
	Cancel     Action = "cancel"     // end what goes on; what was written stays for the next Prepare
)

// A Request asks for an action.
type Request struct {
	Action      Action `json:"action"`
	Actor       string `json:"actor,omitempty"`        // who asks, for the history
	Version     string `json:"version,omitempty"`      // choose this one, whatever the settings say
	IgnoreWaves bool   `json:"ignore_waves,omitempty"` // as if all waves were over
	Reboot      bool   `json:"reboot,omitempty"`       // of Apply and Rollback
	// BundleSize is the length of the bundle in bytes that follows the request. Zero
	// means that the update comes from the repository of the settings.
	BundleSize int64 `json:"bundle_size,omitempty"`
	// DryRun asks for what would be done. The answer has a Plan, comes when the
	// repository was looked at, and nothing has changed then.
	DryRun bool `json:"dry_run,omitempty"`
}

// A Code says why a request is not begun.
type Code string

// The codes; the numbers are the statuses that the update API answers.
const (
	Busy       Code = "busy"        // another action goes on; 423
	NotAllowed Code = "not-allowed" // the state does not permit it; 409
	NotListed  Code = "not-listed"  // there is no such version, or no longer; 404
	NotStaged  Code = "not-staged"  // nothing was prepared; 404
	Invalid    Code = "invalid"     // the request itself; 400
	Failed     Code = "failed"      // anything else; 500
)

// An Answer says whether a request was begun.
type Answer struct {
	Begun  bool   `json:"begun"`
	Code   Code   `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"` // for a person
	Hint   string `json:"hint,omitempty"`   // what would help
	Plan   *Plan  `json:"plan,omitempty"`   // of a dry run, which begins nothing
}

// A State is how far the node is with an update, see api.md 7.2.
type State string

// The states.
const (
	Idle      State = "Idle"
	Available State = "Available"
	Staged    State = "Staged"
	Ready     State = "Ready"
)

// A Status is how updates stand. Its first six members are those of the update
// API (api.md 7.4), the others are ours.
type Status struct {
	State            State      `json:"update_state"`
	AvailableUpdates []string   `json:"available_updates"` // newest first
	ChosenUpdate     *Image     `json:"chosen_update"`
	ActivePartition  *Partition `json:"active_partition"`
	StagingPartition *Partition `json:"staging_partition"`
	LastCommand      *Command   `json:"most_recent_command"`

	Progress *Progress `json:"progress,omitempty"` // while something goes on, and of the last Prepare
	Checked  time.Time `json:"checked,omitzero"`   // the last refresh that succeeded
	// Waiting is why the newest version is not the chosen one: its wave has not come,
	// the settings hold another, it failed here before.
	Waiting string `json:"waiting,omitempty"`
	// Failed are the versions that were tried here and did not hold, and why.
	Failed map[string]string `json:"failed,omitempty"`
}

// An Image is one version of one variant.
type Image struct {
	Arch    string `json:"arch"`
	Version string `json:"version"`
	Variant string `json:"variant"`
}

// A Partition is one slot.
type Partition struct {
	Image      Image `json:"image"`
	NextToBoot bool  `json:"next_to_boot"`
}

// A Command is an action that has ended.
type Command struct {
	Type       Action    `json:"cmd_type"`
	Status     string    `json:"cmd_status"` // Success, Failed or Unknown
	Timestamp  time.Time `json:"timestamp"`  // of its end
	ExitStatus *int      `json:"exit_status"`
	Stderr     *string   `json:"stderr"` // what went wrong
}

// A Progress is how far an action is.
type Progress struct {
	Action  Action    `json:"action"`
	Step    string    `json:"step"` // metadata, tree, root, boot-program, activate
	Version string    `json:"version,omitempty"`
	Started time.Time `json:"started"`
	Updated time.Time `json:"updated"`
	Running bool      `json:"running"`
	// Total is the size of root image, tree and boot program in bytes; the others say
	// where what is there of them came from. Patched bytes were made from what the
	// node has with a patch, reused ones were in the running slot or there already.
	Total   int64 `json:"total"`
	Patched int64 `json:"patched"`
	Reused  int64 `json:"reused"`
	Fetched int64 `json:"fetched"`
	// Received is what came over the network or out of a bundle, in bytes, patches
	// and metadata included.
	Received int64 `json:"received"`
}

// An Event is a line of the history: an action that ended, a version that was
// kept or given up.
type Event struct {
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"` // an action, or "kept", "failed"
	Version string    `json:"version,omitempty"`
	From    string    `json:"from,omitempty"` // the version that ran
	Actor   string    `json:"actor,omitempty"`
	OK      bool      `json:"ok"`
	Detail  string    `json:"detail,omitempty"`
}
