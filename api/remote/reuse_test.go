package remote_test

import (
	"context"
	"net/http/httptrace"
)

// withReuse notes in reused whether the request is made on a connection that
// was there before.
func withReuse(ctx context.Context, reused *bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { *reused = i.Reused }})
}
