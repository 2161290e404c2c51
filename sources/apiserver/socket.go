package apiserver

import (
	"errors"
	"net"

	"github.com/bulkhead-os/bulkhead/sources/internal/unixsocket"
)

// readerSocket is what the service manager calls the socket for readers.
const readerSocket = "api-read"

// sockets are those that the daemon answers on.
type sockets struct {
	api     net.Listener
	readers []net.Listener // for callers that only read; one or none
}

// listen returns the sockets that the service manager has handed over, or else
// makes those that opt names.
func listen(opt Options) (sockets, error) {
	api, read, err := unixsocket.GivenWith(readerSocket)
	switch {
	case err != nil:
		return sockets{}, err
	case api != nil && read != nil:
		return sockets{api, []net.Listener{read}}, nil
	case api != nil:
		return sockets{api, nil}, nil
	case read != nil: // one of our own would stand beside the manager's
		return sockets{}, errors.Join(errors.New("take over the socket: got the one for readers alone"), read.Close())
	}
	if api, err = unixsocket.Listen(opt.Socket, unixsocket.Access{User: -1, Group: opt.SocketGID, Mode: 0o660}); err != nil {
		return sockets{}, err
	}
	if opt.ReadSocket == "" {
		return sockets{api, nil}, nil
	}
	read, err = unixsocket.Listen(opt.ReadSocket, unixsocket.Access{User: -1, Group: opt.ReadSocketGID, Mode: 0o660})
	if err != nil {
		return sockets{}, errors.Join(err, api.Close())
	}
	return sockets{api, []net.Listener{read}}, nil
}
