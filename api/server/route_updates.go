package server

import (
	"net/http"

	"github.com/bulkhead-os/bulkhead/api/problem"
)

// Parameters of actions that choose a version.
var (
	paramVersion = inQuery("version", "The version to install, up or down, whatever the settings say.")
	paramNoWaves = inQuery("ignore-waves", "`1`: as if all waves of the roll-out were over.", "0", "1")
	paramReboot  = inQuery("reboot", "`1`: reboot when it is done.", "0", "1")
	bundleTypes  = []string{"application/x-tar", "application/octet-stream"}
)

func updateRoutes() []Route {
	begins := []problem.Kind{problem.InvalidParameter, problem.BadRequest, problem.UpdateNotAllowed, problem.UpdateBusy, problem.UpdateFailed, problem.NoUpdater}
	chooses := append([]problem.Kind{problem.UnknownUpdate}, begins...)
	staged := append([]problem.Kind{problem.NothingStaged}, begins...)
	const follow = " The answer comes when the work has begun; `GET /updates/status` shows how it goes on, and so do the events update-progress and update-finished."
	action := func(path, summary, about string, refuses []problem.Kind, h func(*Server, *call) error, params ...Param) Route {
		return Route{
			Method: "POST", Path: path, Role: Operator, Changes: true, handle: h, Summary: summary, About: about + follow,
			Params: params, Status: http.StatusNoContent, Refuses: refuses,
		}
	}
	return []Route{
		{
			Method: "GET", Path: "/updates/status", Role: Reader, handle: (*Server).getUpdateStatus,
			Summary: "How updates stand",
			About: "It outlives reboots. While an action goes on the answer is 423, which comes after five seconds unless the action ends before; " +
				"the first six members, and the kinds of command in them, are those that agents for Bottlerocket know: an apply and a rollback are called `activate` there, a cancel `deactivate`.",
			Params: []Param{inQuery("progress", "`1`: answer at once, also while an action goes on, with its progress and with the kinds of command as they are.", "0", "1")},
			Status: http.StatusOK, Type: typeJSON, Answer: "UpdateStatus",
			Refuses: []problem.Kind{problem.InvalidParameter, problem.NoUpdateStatus, problem.UpdateBusy, problem.NoUpdater},
		},
		{
			Method: "GET", Path: "/updates/history", Role: Reader, handle: (*Server).getUpdateHistory,
			Summary: "What was done about updates, newest first",
			Params:  []Param{number(inQuery("limit", "How many; 50 without it, 0 for all that are kept."))},
			Status:  http.StatusOK, Type: typeJSON, Answer: "UpdateHistory", Refuses: []problem.Kind{problem.InvalidParameter, problem.NoUpdater},
		},
		{
			Method: "POST", Path: "/updates/plan", Role: Operator, handle: (*Server).planUpdate,
			Summary: "What an action would fetch and do",
			About: "The node looks at the repository, which takes as long as it takes, and keeps nothing of what it sees. " +
				"It is refused where the action would be. For prepare it says what that does after a refresh.",
			Params: []Param{inQuery("action", "Which one.", plannedActions...), paramVersion, paramNoWaves, paramReboot},
			Status: http.StatusOK, Type: typeJSON, Answer: "UpdatePlan", Refuses: append([]problem.Kind{problem.NothingStaged}, chooses...),
		},
		action("/actions/refresh-updates", "Look which updates there are", "", chooses, (*Server).refreshUpdates, paramVersion, paramNoWaves),
		action("/actions/prepare-update", "Write the chosen version into the slot that does not run",
			"Work that was interrupted goes on where it was.", chooses, (*Server).prepareUpdate, paramVersion, paramNoWaves),
		action("/actions/activate-update", "Have the next boot start the version that was written", "", staged, (*Server).activateUpdate),
		action("/actions/deactivate-update", "Have the next boot not start the version that was written",
			"What was written stays, for another `POST /actions/activate-update`.", begins, (*Server).deactivateUpdate),
		action("/actions/apply-update", "Look for updates, write and activate the chosen version",
			"With `reboot`, the node reboots into it.", chooses, (*Server).applyUpdate, paramVersion, paramNoWaves, paramReboot),
		action("/actions/rollback-update", "Have the next boot start the version of the other slot",
			"It is refused when that has not run, or has failed.", staged, (*Server).rollbackUpdate, paramReboot),
		action("/actions/cancel-update", "End the action that goes on", "What was written stays, and the next action makes use of it.", begins, (*Server).cancelUpdate),
		{
			Method: "POST", Path: "/updates/bundle", Role: Operator, Changes: true, handle: (*Server).takeBundle,
			Summary: "Update from a bundle",
			About: "The body is a file that `shipyard publish bundle` has made. It is verified as a repository is, with the keys that the node knows. " +
				"It is passed on as it comes, and has at most 16 GiB." + follow,
			Params: []Param{inQuery("action", "What to do with it.", bundleActions...), paramVersion, paramNoWaves, paramReboot},
			Body:   bundleTypes, Status: http.StatusNoContent,
			Refuses: append([]problem.Kind{problem.UnsupportedType, problem.LengthRequired, problem.TooLarge}, chooses...),
		},
	}
}
