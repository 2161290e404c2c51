package updater

// What Command.Status says.
const (
	CommandSucceeded = "Success"
	CommandFailed    = "Failed"
)

// OK reports whether c did what it was to do.
func (c *Command) OK() bool { return c.Status == CommandSucceeded }

// Why returns what went wrong with c, in words, or "".
func (c *Command) Why() string {
	if c.Stderr == nil {
		return ""
	}
	return *c.Stderr
}

// About returns the version that the last command, and the progress, are about, or
// "" where they are about none.
func (s *Status) About() string {
	switch c := s.LastCommand; {
	case s.Progress != nil && s.Progress.Version != "" && (s.Progress.Running || c == nil || c.Type == s.Progress.Action):
		return s.Progress.Version
	case c == nil || c.Type == Refresh || s.StagingPartition == nil:
		return ""
	}
	return s.StagingPartition.Image.Version
}

// Done returns how many of p.Total bytes are there.
func (p *Progress) Done() int64 { return p.Patched + p.Reused + p.Fetched }
