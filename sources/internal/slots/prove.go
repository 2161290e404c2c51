package slots

import (
	"fmt"
	"time"
)

// Next returns the boot program that the loader starts at the next boot, or nil.
func (v View) Next() *Entry { return next(v.Entries) }

// Failed reports whether the version with a root hash has failed.
func (v View) Failed(root string) bool { return v.Memory.failure(root) != nil }

// Prove returns the plan after which what runs has to become healthy once more,
// because the next boot starts it in another way: if it does not, the other
// version takes over, for the reason given. The plan is empty where no other
// version could, or where what runs is not the next to be started.
func (v View) Prove(reason string, now time.Time) Plan {
	run := v.running()
	if run == nil || run.Name.State() != Good || !v.wins(*run, v.Entries) || !v.wins(*run, v.with(run.File, run.Name.trial())) {
		return nil
	}
	for _, o := range v.bootable(*run) {
		if o.Root == run.Root || o.Name.State() != Good || v.Failed(o.Root) {
			continue
		}
		m := v.Memory.clone()
		m.Attempt = &Attempt{
			Version: run.Name.Version, Root: run.Root, From: o.Root, Boot: v.Boot.ID, Time: now, Reason: reason, BootDeadline: v.BootDeadline,
		}
		return Plan{
			Remember{m, "version " + run.Name.Version + " is to prove itself again"},
			Rename{run.File, run.Name.trial().String(), fmt.Sprintf("it has %d tries with what is new, and version %s takes over", Tries, o.Name.Version)},
		}
	}
	return nil
}
