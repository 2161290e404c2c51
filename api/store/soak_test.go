package store

import "os"

// soak reports whether the long form of the tests was asked for.
func soak() bool { return os.Getenv("BULKHEAD_SOAK") == "1" }
