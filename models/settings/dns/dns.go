// Package dns holds the settings of name resolution on the host.
package dns

import "github.com/bulkhead-os/bulkhead/models/scalar"

// Settings is the group dns.
type Settings struct {
	// The addresses of the name servers to ask, in place of those that DHCP
	// names. Their order means nothing. A change takes effect at once.
	NameServers []scalar.IP `setting:"name-servers"`

	// The domains in which a name without dots is looked up, in this order, in
	// place of those that DHCP names. A change takes effect at once.
	SearchList []scalar.Hostname `setting:"search-list"`
}
