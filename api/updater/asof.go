package updater

// AsOf returns the status as it is for a node that runs version. The updater looks at
// what a boot came to when the node is well; until then the status is that of
// the version that ran before.
func (s Status) AsOf(version string) Status {
	old, next := s.ActivePartition, s.StagingPartition
	if old == nil || next == nil || old.Image.Version == version || next.Image.Version != version {
		return s
	}
	active, other := *next, *old
	active.NextToBoot, other.NextToBoot = true, false
	s.State, s.ActivePartition, s.StagingPartition = Idle, &active, &other
	if s.ChosenUpdate != nil && s.ChosenUpdate.Version == version {
		s.ChosenUpdate = nil
	}
	return s
}
