package server

import (
	"net/http"

	"github.com/bulkhead-os/bulkhead/api/problem"
)

var (
	paramContainer = Param{Name: "name", In: "path", About: "Name of the container.", Type: "string"}
	archiveTypes   = []string{"application/x-tar", "application/octet-stream"}
)

// aboutSession says what sessions have in common.
const aboutSession = "The protocol is Bottlerocket's: one program for each connection, `Initialize` first. The close frame has the exit status as its reason. " +
	"A caller that goes away ends the program. There are at most 32 sessions at a time, and 8 of one caller. The audit log has who ran what and how it ended."

func containerRoutes() []Route {
	asks := []problem.Kind{problem.NoContainers, problem.ContainerFailed}
	names := append([]problem.Kind{problem.InvalidParameter, problem.UnknownContainer}, asks...)
	control := func(verb, summary string, h func(*Server, *call) error) Route {
		return Route{
			Method: "POST", Path: "/containers/{name}/" + verb, Role: Operator, Changes: true, handle: h, Summary: summary,
			About:  "The settings stay as they are: what they want holds again after a reboot, and after a change of the settings of the container.",
			Params: []Param{paramContainer}, Status: http.StatusNoContent, Refuses: names,
		}
	}
	return []Route{
		{
			Method: "GET", Path: "/containers", Role: Reader, handle: (*Server).listContainers,
			Summary: "Containers of the host",
			About:   "Those of the settings, whether they run or not, and debug containers. Those of an orchestrator are not among them.",
			Status:  http.StatusOK, Type: typeJSON, Answer: "Containers", Refuses: asks,
		},
		control("start", "Start a container that was stopped", (*Server).startContainer),
		control("stop", "Stop a container", (*Server).stopContainer),
		control("restart", "Make a container anew from its image and start it", (*Server).restartContainer),
		{
			Method: "POST", Path: "/containers/pull", Role: Operator, Changes: true, handle: (*Server).pullImage,
			Summary: "Fetch an image",
			About: "By the mirrors, credentials and proxy of the settings. Lines say how far it is; the last one has the image, or the problem. " +
				"Containers that run go on with the image that they were made from.",
			Params: []Param{inQuery("image", "The image, as registry.example.org/team/tool:v1.")},
			Status: http.StatusOK, Type: typeNDJSON, Answer: "PullProgress", Refuses: append([]problem.Kind{problem.InvalidParameter, problem.TooManyStreams}, asks...),
		},
		{
			Method: "GET", Path: "/exec", Role: Admin, handle: (*Server).exec,
			Summary: "Run a program in a container, over a WebSocket", About: aboutSession,
			Status: http.StatusSwitchingProtocols, Refuses: []problem.Kind{problem.UpgradeRequired, problem.TooManySessions, problem.NoContainers},
		},
		{
			Method: "POST", Path: "/debug/image", Role: Admin, Changes: true, handle: (*Server).loadImage,
			Summary: "Give the node an image for a debug container",
			About:   "The body is an archive as the OCI or Docker define it, of at most 4 GiB. The image goes when the container does that runs it, or after ten minutes.",
			Body:    archiveTypes, Status: http.StatusOK, Type: typeJSON, Answer: "ContainerImage",
			Refuses: append([]problem.Kind{problem.UnsupportedType, problem.LengthRequired, problem.TooLarge, problem.InvalidParameter, problem.TooManySessions}, asks...),
		},
		{
			Method: "GET", Path: "/debug", Role: Admin, handle: (*Server).debug,
			Summary: "Run a program in a container of its own, over a WebSocket",
			About:   "The container goes when the session ends. The target of `Initialize` is empty, and so may its command be, which then is that of the image. " + aboutSession,
			Params: []Param{
				inQuery("image", "The image, or the name that `POST /debug/image` has given."),
				inQuery("superpowered", "`1`: it may do what root on the node may do.", "0", "1"),
			},
			Status: http.StatusSwitchingProtocols, Refuses: []problem.Kind{problem.InvalidParameter, problem.UpgradeRequired, problem.TooManySessions, problem.NoContainers},
		},
	}
}
