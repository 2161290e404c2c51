// Package exec runs programs in containers over a WebSocket, as Bottlerocket's
// API does: one program for each connection.
//
// Text messages are JSON: a caller begins with Initialize, may say ContentComplete
// and Winch, and the other side says Capacity. Binary messages are input of the
// program one way and its output the other way. The end is a close frame with the
// exit status as its reason. See api.md 9.
package exec

import (
	"time"

	"github.com/coder/websocket"
)

// What both sides go by.
const (
	// MaxMessage is the longest message that either side takes.
	MaxMessage = 64 << 10
	// MaxOutput is the most output in a message.
	MaxOutput = 4096
	// Window is how many messages of input may be on their way to the program.
	Window = 1024
	// Step is after how many of them the caller is told that there is room.
	Step = 128
)

// Times are how long either side waits for the other.
type Times struct {
	Ping   time.Duration // between pings
	Silent time.Duration // after which the other side is taken for gone
	First  time.Duration // until the caller says what he wants
}

// UsualTimes are those of the protocol.
var UsualTimes = Times{Ping: 2 * time.Second, Silent: 10 * time.Second, First: 10 * time.Second}

// The codes that sessions end with.
const (
	closeNormal      = websocket.StatusNormalClosure
	closeGoingAway   = websocket.StatusGoingAway
	closeInvalid     = websocket.StatusInvalidFramePayloadData
	closePolicy      = websocket.StatusPolicyViolation
	closeSize        = websocket.StatusMessageTooBig
	closeFailed      = websocket.StatusInternalError
	maxReason        = 123 // bytes, as a control frame has room for
	maxCommand       = 4096
	maxCommandLength = 48 << 10
)

// A Size is that of a terminal.
type Size struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// A Terminal is what a program runs on that is to have one. Without a size it
// gets the usual one.
type Terminal struct {
	Size *Size `json:"size"`
}

// An Initialize says what is to run.
type Initialize struct {
	Command []string  // any bytes
	Target  string    // the container
	TTY     *Terminal // none
}
