package storage

import (
	"github.com/bulkhead-os/bulkhead/models/report"
)

// Codes of what can be wrong with the storage of a node.
const (
	codeTable       report.Code = "partition-table"
	codeDataLost    report.Code = "data-lost"     // it was there
	codeDataUnmade  report.Code = "data-not-made" // it never was
	codeDataFound   report.Code = "data-found"    // without a partition
	codePrivateLost report.Code = "private-lost"  // settings, state of boots
	codeMended      report.Code = "file-system-mended"
	codeNotGrown    report.Code = "data-not-grown"
	codeIdentity    report.Code = "machine-id-temporary"
	codeMount       report.Code = "not-mounted"
)

// What an operator can do.
const (
	hintData     = "the partition was left as it is, and the node keeps its data in memory; to begin anew, rename the partition to DATA-NEW and reboot"
	hintPrivate  = "the partition was left as it is; the node runs with the defaults of its variant and keeps settings in memory; write the image to the disk again, or restore PRIVATE"
	hintUnmade   = "the disk was left as it is, and the node keeps its data in memory"
	hintOccupied = "the disk was left as it is, and the node keeps its data in memory; if nobody needs what is there, clear its beginning or make a partition DATA-NEW there, and reboot"
)

func fault(code report.Code, detail, hint string) report.Fault {
	return report.Fault{Severity: report.Error, Code: code, Detail: detail, Hint: hint}
}

func lost(name string, code report.Code, detail, hint string) Volume {
	f := fault(code, detail, hint)
	return Volume{Name: name, Dir: kinds[name].dir, Lost: &f}
}
