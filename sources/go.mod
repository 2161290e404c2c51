module github.com/bulkhead-os/bulkhead/sources

go 1.26.0

require (
	github.com/bulkhead-os/bulkhead/api v0.0.0
	github.com/bulkhead-os/bulkhead/models v0.0.0
	github.com/bulkhead-os/bulkhead/variants v0.0.0
)

require (
	github.com/coreos/go-systemd/v22 v22.7.0 // indirect
	github.com/godbus/dbus/v5 v5.1.0 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/google/renameio/v2 v2.0.2 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/cobra v1.10.2 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/bulkhead-os/bulkhead/models => ../models

replace github.com/bulkhead-os/bulkhead/api => ../api

replace github.com/bulkhead-os/bulkhead/variants => ../variants
