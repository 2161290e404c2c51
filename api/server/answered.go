package server

import (
	"net/http"
	"time"
)

// deliveryLimit is how long what follows an answer waits for it to arrive.
const deliveryLimit = time.Second

// afterwards has f done when the answer is out: f may take the network away
// that the answer goes over, or the node itself.
func (c *call) afterwards(f func()) { c.after = f }

// conclude does what was to be done after the answer.
func (c *call) conclude() {
	if c.after == nil {
		return
	}
	// An answer that cannot be sent changes nothing about what is to be done.
	_ = http.NewResponseController(c.w).Flush()
	if c.peer.caller != nil {
		c.peer.caller.Delivered(deliveryLimit)
	}
	c.after()
}
