module github.com/bulkhead-os/bulkhead/variants

go 1.26.0
