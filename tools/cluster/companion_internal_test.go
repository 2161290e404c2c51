package cluster

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/vmnet"
)

// What runs beside machines has their network, ends when it is told to, and is
// waited for; why another one ended is in the log.
func TestAccompany(t *testing.T) {
	network, err := vmnet.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	var log bytes.Buffer
	ended := false
	end := accompany(network, slog.New(slog.NewTextHandler(&log, nil)), []Companion{
		func(ctx context.Context, n *vmnet.Network) error {
			<-ctx.Done()
			ended = n == network
			return nil
		},
		func(context.Context, *vmnet.Network) error { return errors.New("no luck") },
	})
	end()
	if !ended {
		t.Error("what runs beside machines was not waited for, or had another network")
	}
	if want := `err="no luck"`; !strings.Contains(log.String(), want) {
		t.Errorf("the log is %q, want %s", &log, want)
	}
}
