package problem

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// A Kind is a kind of problem. Its code is stable: programs branch on it.
type Kind struct {
	Code   string
	Status int
	Title  string
	About  string // when it happens, for the reference
}

// The kinds of problem.
var (
	InvalidSettings     = Kind{"invalid-settings", http.StatusBadRequest, "invalid settings", "The settings in the body, or what they would lead to, are not acceptable. `errors` lists every fault; `path`, `code` and `hint` are those of the first."}
	BadRequest          = Kind{"bad-request", http.StatusBadRequest, "malformed request", "The body is not in the form that the route takes."}
	InvalidParameter    = Kind{"invalid-parameter", http.StatusBadRequest, "invalid query parameter", "A query parameter is missing, empty or not acceptable."}
	InvalidTransaction  = Kind{"invalid-transaction", http.StatusBadRequest, "invalid transaction name", "The name of a transaction has 1 to 64 letters, digits, `_` and `-`."}
	UnsupportedType     = Kind{"unsupported-content-type", http.StatusBadRequest, "unsupported content type", "The content type is missing or none that the route reads."}
	Forbidden           = Kind{"forbidden", http.StatusForbidden, "not allowed", "The caller's role does not allow the request."}
	ForeignOrigin       = Kind{"foreign-origin", http.StatusForbidden, "request from a web page", "The request carries `Origin` or `Referer`, which only web pages send."}
	OrchestratedCaller  = Kind{"orchestrated-caller", http.StatusForbidden, "caller in a container of an orchestrator", "The caller on the Unix socket runs in a container of an orchestrator, or has ended. Such callers have no rights, whoever they run as."}
	UnknownSetting      = Kind{"unknown-setting", http.StatusNotFound, "unknown setting", "The variant has no setting of this name."}
	NoRoute             = Kind{"no-route", http.StatusNotFound, "unknown route", "The API has nothing at this path."}
	NoGeneration        = Kind{"no-generation", http.StatusNotFound, "unknown generation", "There is no generation of this number, or it was retired."}
	UnknownApply        = Kind{"unknown-apply", http.StatusNotFound, "unknown apply", "There is no apply of this name, or it is forgotten: the last 50 since the daemon started are kept."}
	UnknownName         = Kind{"unknown-name", http.StatusNotFound, "unknown name", "The image has no service or no configuration file of this name."}
	NoUpdateStatus      = Kind{"no-update-status", http.StatusNotFound, "updates were never looked for", "Nothing is known of updates before the first `POST /actions/refresh-updates`."}
	UnknownUpdate       = Kind{"unknown-update", http.StatusNotFound, "unknown update", "The repository does not list the version, or no longer."}
	NothingStaged       = Kind{"nothing-staged", http.StatusNotFound, "nothing is staged", "The other slot has no version that could be activated."}
	WrongMethod         = Kind{"wrong-method", http.StatusMethodNotAllowed, "wrong method", "The path exists and does not take the method. `Allow` lists those it takes."}
	UnknownContainer    = Kind{"unknown-container", http.StatusNotFound, "unknown container", "There is no container of this name, or the settings do not enable it. `GET /containers` lists those that there are."}
	NotRunning          = Kind{"container-not-running", http.StatusConflict, "the container does not run", "The request needs a container that runs."}
	UpgradeRequired     = Kind{"upgrade-required", http.StatusUpgradeRequired, "this is a WebSocket", "The route speaks the WebSocket protocol, and the request does not ask for it."}
	TooManySessions     = Kind{"too-many-sessions", http.StatusTooManyRequests, "too many sessions", "As many programs run in containers by this API as may, all together or for this caller."}
	ContainerFailed     = Kind{"container-failed", http.StatusInternalServerError, "the container service could not do it", "`detail` says why: systemd, containerd or a registry did not do as they were asked."}
	NoContainers        = Kind{"no-containers", http.StatusServiceUnavailable, "nothing runs containers here", "There is no container service on this node, or it does not answer. The daemon runs in a sandbox, for example."}
	NoTry               = Kind{"no-try", http.StatusConflict, "nothing is being tried", "There is no try to confirm, or another generation is being tried."}
	NoMaintenance       = Kind{"no-maintenance", http.StatusConflict, "not waiting for first settings", "The node has settings, or its image does not have it wait for them on the network."}
	UpdateNotAllowed    = Kind{"update-not-allowed", http.StatusConflict, "not in this state of updates", "The state that `GET /updates/status` shows does not permit the action."}
	TryPending          = Kind{"try-pending", http.StatusConflict, "a try is pending", "A generation is being tried; confirm it or revert it first."}
	LengthRequired      = Kind{"length-required", http.StatusLengthRequired, "length of the body is missing", "The request has to say in `Content-Length` how long its body is."}
	Stale               = Kind{"stale", http.StatusPreconditionFailed, "stale settings", "`If-Match` names another state than the current one."}
	TooLarge            = Kind{"too-large", http.StatusRequestEntityTooLarge, "request too large", "The body has more than 8 MiB, or the bundle more than 16 GiB."}
	NothingPending      = Kind{"nothing-pending", http.StatusUnprocessableEntity, "nothing to commit", "The transaction has no pending settings."}
	UpdateBusy          = Kind{"update-busy", http.StatusLocked, "an update action goes on", "The updater does something else already. `GET /updates/status?progress=1` says what."}
	TooManyTransactions = Kind{"too-many-transactions", http.StatusTooManyRequests, "too many transactions", "As many transactions are open as there may be; commit or drop some."}
	TooManyStreams      = Kind{"too-many-streams", http.StatusTooManyRequests, "too many streams", "As many streams of events, or of logs, are open as there may be."}
	TooManyRequests     = Kind{"too-many-requests", http.StatusTooManyRequests, "too many requests", "A caller on the network makes more requests in a second than he may. `Retry-After` says when to try again."}
	Internal            = Kind{"internal", http.StatusInternalServerError, "internal error", "A fault of the daemon. Its log has the cause under the number in `instance`."}
	UpdateFailed        = Kind{"update-failed", http.StatusInternalServerError, "the updater could not begin", "The updater refuses the action for another reason than its state, which `detail` gives, or does not answer."}
	NoUpdater           = Kind{"no-updater", http.StatusServiceUnavailable, "nothing updates this node", "There is no updater on this node. The daemon runs in a sandbox, for example."}
	NoApply             = Kind{"no-apply", http.StatusServiceUnavailable, "nothing applies settings here", "There is no apply service on this node."}
	NoPower             = Kind{"no-power", http.StatusServiceUnavailable, "nothing reboots or stops this node", "There is no power service on this node, or it cannot reach systemd."}
	NoJournal           = Kind{"no-journal", http.StatusServiceUnavailable, "there is no journal here", "The node keeps no journal, or it cannot be read. The daemon runs in a sandbox, for example."}
	ReadOnly            = Kind{"read-only", http.StatusServiceUnavailable, "storage cannot be written", "The storage of the settings is read-only or broken. Settings can be read."}
	Busy                = Kind{"busy", http.StatusServiceUnavailable, "too many connections", "As many connections are open as there may be."}
	NoSpace             = Kind{"no-space", http.StatusInsufficientStorage, "storage is full", "There is no space to store the change. Nothing was changed."}
)

// Kinds returns all kinds, by status and code.
func Kinds() []Kind {
	all := []Kind{
		NoUpdateStatus, UnknownUpdate, NothingStaged, UpdateNotAllowed, LengthRequired, UpdateBusy, UpdateFailed, NoUpdater,
		InvalidSettings, BadRequest, InvalidParameter, InvalidTransaction, UnsupportedType, Forbidden, ForeignOrigin,
		OrchestratedCaller, UnknownSetting, NoRoute, UnknownContainer, NotRunning, UpgradeRequired, TooManySessions, ContainerFailed, NoContainers, NoGeneration, UnknownApply, UnknownName, WrongMethod, NoTry, NoMaintenance, TryPending, Stale, TooLarge, NothingPending,
		TooManyTransactions, TooManyStreams, TooManyRequests, Internal, NoApply, NoPower, NoJournal, ReadOnly, Busy, NoSpace,
	}
	slices.SortFunc(all, func(a, b Kind) int {
		if a.Status != b.Status {
			return a.Status - b.Status
		}
		return strings.Compare(a.Code, b.Code)
	})
	return all
}

// A FaultCode is a code that faults of settings carry.
type FaultCode struct {
	Code  report.Code
	About string
}

// FaultCodes returns the codes of faults with their meaning.
func FaultCodes() []FaultCode {
	return []FaultCode{
		{report.Syntax, "The text is not well-formed JSON or TOML, or not UTF-8."},
		{report.DuplicateKey, "A key is given twice."},
		{report.UnknownSetting, "The variant has no such setting. The hint names the nearest one."},
		{report.InvalidKey, "A name chosen by the user, such as that of a label, is not acceptable."},
		{report.WrongType, "A value of another type belongs here."},
		{report.InvalidValue, "The type is right and the value is not acceptable."},
		{report.MissingMember, "A mandatory member of a table is missing."},
		{report.Conflict, "Two settings contradict one another."},
		{report.Deprecated, "A warning: the setting works and will go away."},
		{report.TooLarge, "The text, its nesting or one string is beyond the limit."},
		{report.Redacted, "The placeholder that stands for a secret was given as the secret."},
		{report.Unsupported, "User data in a language of others asks for something that no setting stands for. The hint names what to use instead."},
	}
}

// Reference returns the page that describes all problems, as Markdown.
func Reference() []byte {
	var b strings.Builder
	b.WriteString("# Problems\n\n" +
		"The API answers errors with a document of type `application/problem+json` (RFC 9457). Its `type` is\n`" + URN + "` followed by one of these codes:\n\n" +
		"| Status | Code | Title | When |\n|---|---|---|---|\n")
	for _, k := range Kinds() {
		fmt.Fprintf(&b, "| %d | `%s` | %s | %s |\n", k.Status, k.Code, k.Title, k.About)
	}
	b.WriteString("\nThe members of `errors` are faults of settings, each with `severity`, `path`, `value`, `code`, `detail`, `hint`, and\n" +
		"`line` and `column` where the input was text. Their codes:\n\n| Code | Meaning |\n|---|---|\n")
	for _, c := range FaultCodes() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", c.Code, c.About)
	}
	return []byte(b.String())
}
