package updater

// Where a node has its updater.
const (
	Socket   = "/run/bulkhead/updater.sock"
	Dir      = "/var/lib/bulkhead/updates" // for users root and api
	LockFile = "/run/bulkhead/updater.lock"
)

// Files in Dir.
const (
	StatusFile  = "status.json"   // a Status
	HistoryFile = "history.jsonl" // lines of Event, the oldest first
)
