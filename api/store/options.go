package store

import (
	"log/slog"
	"time"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/migration"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// A Stage says at which moment settings are evaluated.
type Stage int

// The stages.
const (
	Stored  Stage = iota // they were accepted before: nothing is refused, what is wrong is left out
	Pending              // they would come of a patch: entries must be whole
	Commit               // they are about to become current: everything must fit
)

// Options say where a store is and how it behaves. Only Dir is needed.
type Options struct {
	Dir     string           // state directory, made if it is missing
	Log     *slog.Logger     // default: none
	Now     func() time.Time // wall clock, for people to read; default: time.Now
	Boot    Boot             // default: the kernel's
	Version string           // of the image: weak generated values last until it changes

	// Evaluate lays user over generated over defaults and checks the result.
	// It must not call the store. Default: user over generated, all of it fine.
	Evaluate func(user, generated document.Document, stage Stage) (effective document.Document, rep report.Report)

	// Notify receives the events in their order, one at a time, after what they
	// tell of has become lasting; at times a moment after the method that
	// caused them has returned. It must not block; it may call the store.
	Notify func(Event)

	Retain      int   // number of generations to keep; default 200
	RetainBytes int64 // their size together; default 64 MiB

	Format     int           // data format of this program; default 1
	Migrations migration.Set // that lead to Format

	// OtherMigrations are asked for where Migrations and those that are stored with
	// the settings do not lead from their format to this one. Default: none.
	OtherMigrations func() migration.Set
}

func (o *Options) setDefaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Boot == nil {
		o.Boot = kernelBoot{}
	}
	if o.Evaluate == nil {
		o.Evaluate = func(user, generated document.Document, _ Stage) (document.Document, report.Report) {
			return document.Merge(user, generated), report.Report{}
		}
	}
	if o.Retain <= 0 {
		o.Retain = 200
	}
	if o.RetainBytes <= 0 {
		o.RetainBytes = 64 << 20
	}
	if o.Format == 0 {
		o.Format = 1
	}
}
