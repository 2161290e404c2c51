// Package ntp holds the settings of the clock: the servers it is synchronised
// with.
package ntp

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// Settings is the group ntp.
type Settings struct {
	// The time servers, as names or addresses. Each is asked as a pool, so that
	// all addresses behind a name serve. A change takes effect at once.
	TimeServers []TimeServer `setting:"time-servers"`

	// Options of chrony for each server, as in ["iburst", "minpoll", "4"]. They
	// are written behind every server in this order, one element after the other.
	// A change takes effect at once.
	Options []Option `setting:"options"`
}

// Check reports time servers that are accepted as URLs and that chrony cannot
// ask.
func (s *Settings) Check(p report.Place) {
	for i, server := range s.TimeServers {
		if _, ok := server.Host(); !ok {
			p.Warn(fmt.Sprintf("time-servers[%d]", i), server.String(),
				fmt.Sprintf("%q is not the name or address of a host, so the clock is not synchronised with it", server),
				"want a host name or an IP address, without scheme, port and path")
		}
	}
}
