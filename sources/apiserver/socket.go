package apiserver

import (
	"net"

	"github.com/bulkhead-os/bulkhead/sources/internal/unixsocket"
)

// listen returns the socket that the service manager has handed over, or else
// makes one at path, for the group gid unless that is negative.
func listen(path string, gid int) (net.Listener, error) {
	given, err := unixsocket.Given()
	if err != nil {
		return nil, err
	}
	if given != nil {
		return given, nil
	}
	return unixsocket.Listen(path, unixsocket.Access{User: -1, Group: gid, Mode: 0o660})
}
