package server

import (
	"fmt"
	"slices"

	"github.com/bulkhead-os/bulkhead/api/remote"
)

// A Role says what a caller may do; a higher one may do all that a lower may.
type Role uint8

// The roles.
const (
	None     Role = iota
	Reader        // see settings, secrets hidden
	Operator      // change settings
	Admin         // see secrets, do everything else
)

var roleNames = [...]string{"none", "reader", "operator", "admin"}

// String returns the name of r.
func (r Role) String() string { return roleNames[r] }

// Access says who has which role on the Unix socket. Root is always admin.
type Access struct {
	AdminGroups  []uint32
	ReaderGroups []uint32
	// OwnUser makes the user that the daemon runs as an admin, and lets him
	// write the generated layer: in a sandbox there is nobody else.
	OwnUser bool
}

// A Peer is the program at the other end of a connection. Of one that comes from
// the network only the role is known, and its name.
type Peer struct {
	UID    uint32
	GID    uint32
	Groups []uint32 // others than GID
	PID    int32
	Role   Role
	System bool // root, or the daemon's own user in a sandbox: may write the generated layer
	name   string
	caller *remote.Caller // when it comes from the network

	stranger string // why it is nobody, whoever it runs as; empty for others
}

// Name returns how the peer is called in generations and in the audit log.
func (p *Peer) Name() string { return p.name }

// identify gives p its role. Own is the user of the daemon itself.
func (a Access) identify(p *Peer, own uint32) {
	p.name = fmt.Sprintf("uid %d", p.UID)
	if p.UID == 0 {
		p.name = "root"
	}
	in := func(groups []uint32) bool {
		return slices.ContainsFunc(groups, func(g uint32) bool { return g == p.GID || slices.Contains(p.Groups, g) })
	}
	p.System = p.UID == 0 || a.OwnUser && p.UID == own
	switch {
	case p.System || in(a.AdminGroups):
		p.Role = Admin
	case in(a.ReaderGroups):
		p.Role = Reader
	}
}

// limit takes from p what is above the role most.
func (p *Peer) limit(most Role) {
	p.Role = min(p.Role, most)
	p.System = p.System && most == Admin
}
