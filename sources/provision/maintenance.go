package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// codeNotWaiting says that the node cannot wait for settings on the network.
const codeNotWaiting report.Code = "not-waiting-for-settings"

// awaitSettings has a node wait for its first settings: one that has none, because there was no user data or
// nothing valid in it, takes them from the network where its image wants that.
func (r *run) awaitSettings(ctx context.Context) {
	h, err := r.api.Health(ctx)
	if err != nil || h.Generation != 0 {
		return // what is wrong with the API is told by others
	}
	_, err = r.api.OpenMaintenance(ctx)
	p, refused := errors.AsType[*client.Problem](err)
	switch {
	case err == nil:
		r.log.Info("waiting for first settings on the network")
	case refused && p.Status == http.StatusConflict: // the image does not want it
	default:
		r.fault(codeNotWaiting, report.Error, fmt.Sprintf("the node cannot wait for its first settings on the network: %v", err), "it is tried again at the next boot")
	}
}
