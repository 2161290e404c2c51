package server

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/bulkhead-os/bulkhead/api/problem"
)

// A Route is one thing that the API does. Everything about it stands here:
// the description of the API is made from these.
type Route struct {
	Method  string
	Path    string // as chi writes patterns
	Role    Role   // the least that a caller needs
	Changes bool   // goes into the audit log

	Summary string
	About   string
	Params  []Param
	Body    []string // content types that it reads; none when it reads no body
	Status  int      // when all went well
	Type    string   // content type of the answer
	Answer  string   // name of the answer's schema in the description; empty for none
	Waits   string   // that of the answer, with status 200, when the caller waits for an apply; empty when he cannot
	Refuses []problem.Kind

	handle func(*Server, *call) error
}

// A Param is a parameter of a route.
type Param struct {
	Name  string
	In    string // query, path or header
	About string
	Type  string // string, integer or boolean
	Enum  []string
}

func inQuery(name, about string, enum ...string) Param {
	return Param{Name: name, In: "query", About: about, Type: "string", Enum: enum}
}

func number(p Param) Param {
	p.Type = "integer"
	return p
}

// Parameters that several routes take.
var (
	paramTx       = inQuery("tx", "Name of the transaction: 1 to 64 letters, digits, `_` and `-`. Without it, `default`.")
	paramMessage  = inQuery("message", "Why the change is made, for the history. At most 1024 bytes.")
	paramTry      = inQuery("try", "Commit on trial: the change reverts by itself after this time, `1s` to `24h`, unless it is confirmed. `none` is for good. Unset, a change of `settings.network` or `settings.dns` by a caller on the network is tried for `5m`.")
	paramSecrets  = inQuery("secrets", "`show` gives secrets in clear. For admins only; it is recorded in the audit log.", "hide", "show")
	paramID       = Param{Name: "id", In: "path", About: "Number of the generation, or `current`.", Type: "string"}
	paramIfMatch  = Param{Name: "If-Match", In: "header", About: "ETag of the settings that the change is meant for. Others are refused with 412.", Type: "string"}
	paramIfNone   = Param{Name: "If-None-Match", In: "header", About: "ETag of the settings that the caller has. When they are still the current ones the answer is 304.", Type: "string"}
	paramKeys     = inQuery("keys", "Names joined by commas; the leading `settings.` may be left out. A table stands for all that is in it.")
	paramEventID  = Param{Name: "Last-Event-ID", In: "header", About: "Id of the last event seen. The stream goes on behind it. When that is not known, or no longer, it begins with an event `reset` and all events that are kept; an id that never was, as `0`, asks for that.", Type: "string"}
	paramWait     = inQuery("wait", "Wait this long, up to `10m`, for the apply, and answer with what became of it. `Bulkhead-Applied` is `ok`, `failed`, or `started` when the time was too short.")
	paramKeepData = inQuery("keep-data", "`1`: what runs on the node keeps its data, which is all below `/var` but the settings.", "0", "1")
	settingsTypes = []string{"application/json", "application/merge-patch+json", "application/toml"}
)

const (
	typeJSON = "application/json"
	typeText = "text/plain"

	typeNDJSON = "application/x-ndjson"
)

var routeProblems = struct{ parameter, change, commit []problem.Kind }{
	parameter: []problem.Kind{problem.InvalidParameter},
	change: []problem.Kind{
		problem.InvalidSettings, problem.InvalidParameter, problem.InvalidTransaction, problem.UnsupportedType, problem.BadRequest,
		problem.Stale, problem.TooLarge, problem.TooManyTransactions, problem.ReadOnly, problem.NoSpace,
	},
	commit: []problem.Kind{
		problem.InvalidSettings, problem.InvalidParameter, problem.InvalidTransaction, problem.Stale, problem.NothingPending,
		problem.TryPending, problem.ReadOnly, problem.NoSpace,
	},
}

// Routes returns all routes, in the order in which the description lists them.
func Routes() []Route {
	var all []Route
	for _, group := range [][]Route{settingsRoutes(), transactionRoutes(), generationRoutes(), applyRoutes(), imageRoutes(), updateRoutes(), containerRoutes(), nodeRoutes()} {
		all = append(all, group...)
	}
	return all
}

func settingsRoutes() []Route {
	p := routeProblems
	return []Route{
		{
			Method: "GET", Path: "/", Role: Reader, handle: (*Server).getRoot,
			Summary: "Settings and facts about the image together",
			Params:  []Param{inQuery("prefix", "How the names begin that are wanted, from `settings.` or `os.` on. Sections without such names are left out."), paramIfNone},
			Status:  http.StatusOK, Type: typeJSON, Answer: "Sections", Refuses: p.parameter,
		},
		{
			Method: "GET", Path: "/settings", Role: Reader, handle: (*Server).getSettings,
			Summary: "Settings as they are in force",
			About:   "What is not set, or not known, is left out. Of `keys` and `prefix` the former counts.",
			Params: []Param{
				paramKeys, inQuery("prefix", "How the names begin that are wanted; the leading `settings.` may be left out. An older name of a setting stands for what is now called otherwise."),
				inQuery("layer", "One layer instead of the effective settings.", "effective", "user", "generated", "default"),
				inQuery("origin", "`1` says for each setting which layer it comes from, who set it and when.", "0", "1"), paramSecrets, paramIfNone,
			},
			Status: http.StatusOK, Type: typeJSON, Answer: "SettingsOrOrigins", Refuses: p.parameter,
		},
		{
			Method: "PATCH", Path: "/settings", Role: Operator, Changes: true, handle: (*Server).patchSettings,
			Summary: "Add settings to a transaction",
			About: "Lists are replaced as a whole, tables are merged. In `application/json` a null means that the setting is not mentioned, " +
				"in `application/merge-patch+json` that it is unset. An outer table `settings` may be left out; where it is given, nothing stands " +
				"beside it, unless `document` says so. The header `Bulkhead-Warnings` tells how many warnings there are.",
			Params: []Param{
				paramTx, inQuery("layer", "`generated` writes the generated layer, at once and without a transaction. For root only.", "user", "generated"),
				inQuery("strength", "How long generated values last: for good, or until the version of the image changes. Only with `layer=generated`.", "strong", "weak"),
				inQuery("generator", "Name of the program that generated the values. Only with `layer=generated`."),
				inQuery("document", "`1`: the body is a whole document. What stands beside its table `settings` is ignored, with a warning, and not refused.", "0", "1"),
				paramIfMatch,
			},
			Body: settingsTypes, Status: http.StatusNoContent, Refuses: p.change,
		},
		{
			Method: "PATCH", Path: "/settings/keypair", Role: Operator, Changes: true, handle: (*Server).patchPairs,
			Summary: "Add settings given as KEY=VALUE to a transaction",
			About:   "The type of each setting decides how its value is read. Of pairs with the same key the last counts. This is about the user layer only.",
			Params:  []Param{paramTx, paramIfMatch}, Body: []string{typeJSON}, Status: http.StatusNoContent, Refuses: p.change,
		},
		{
			Method: "DELETE", Path: "/settings", Role: Operator, Changes: true, handle: (*Server).unsetSettings,
			Summary: "Add to a transaction that settings are unset",
			About:   "What is unset falls back to the generated value or the default. This is about the user layer only.",
			Params:  []Param{paramKeys, paramTx, paramIfMatch}, Status: http.StatusNoContent,
			Refuses: append([]problem.Kind{problem.UnknownSetting}, p.change...),
		},
		{
			Method: "POST", Path: "/plan", Role: Operator, handle: (*Server).plan,
			Summary: "What a change would do",
			About: "The change is the body, on top of a transaction or of a generation to go back to. Nothing is stored. " +
				"Where settings are applied, the answer has the files, programs and units that an apply would deal with.",
			Params: []Param{inQuery("tx", "A transaction whose pending settings count."), inQuery("revert", "Number of a generation to go back to.")},
			Body:   settingsTypes, Status: http.StatusOK, Type: typeJSON, Answer: "Plan",
			Refuses: []problem.Kind{problem.InvalidSettings, problem.InvalidParameter, problem.InvalidTransaction, problem.UnsupportedType, problem.NoGeneration, problem.TooLarge},
		},
	}
}

func transactionRoutes() []Route {
	p := routeProblems
	return []Route{
		{
			Method: "GET", Path: "/tx", Role: Reader, handle: (*Server).getTransaction,
			Summary: "Pending settings of a transaction",
			About:   "What it unsets is shown as null: a table as a whole, or, where something in it is set again, each of its settings that goes.",
			Params:  []Param{paramTx, paramSecrets}, Status: http.StatusOK, Type: typeJSON, Answer: "Settings",
			Refuses: []problem.Kind{problem.InvalidTransaction, problem.InvalidParameter},
		},
		{
			Method: "DELETE", Path: "/tx", Role: Operator, Changes: true, handle: (*Server).dropTransaction,
			Summary: "Drop a transaction", About: "Dropping one that does not exist is no error.",
			Params: []Param{paramTx}, Status: http.StatusOK, Type: typeJSON, Answer: "Names",
			Refuses: []problem.Kind{problem.InvalidTransaction, problem.ReadOnly},
		},
		{
			Method: "GET", Path: "/tx/list", Role: Reader, handle: (*Server).listTransactions,
			Summary: "Open transactions",
			Params:  []Param{inQuery("details", "`1` gives objects instead of names.", "0", "1")},
			Status:  http.StatusOK, Type: typeJSON, Answer: "Transactions", Refuses: p.parameter,
		},
		{
			Method: "POST", Path: "/tx/commit", Role: Operator, Changes: true, handle: (*Server).commit,
			Summary: "Make the pending settings of a transaction current",
			About: "The answer lists the keys that the change mentions. `Bulkhead-Generation` is the number of the new generation, `ETag` its tag, " +
				"`Bulkhead-Try-Deadline` the time at which a try reverts; `Bulkhead-Try` is `default` where the caller did not ask for one.",
			Params: []Param{paramTx, paramMessage, paramTry, paramIfMatch},
			Status: http.StatusOK, Type: typeJSON, Answer: "Names", Refuses: p.commit,
		},
		{
			Method: "POST", Path: "/tx/commit_and_apply", Role: Operator, Changes: true, handle: (*Server).commitAndApply,
			Summary: "Commit a transaction and apply it",
			About: "As `/tx/commit`. To callers on the network who do not wait the answer is sent before the apply begins, which may reconfigure the network. " +
				"`Bulkhead-Applied` is `started`, and `Bulkhead-Apply` the name of the apply for `/applies/{id}`. " +
				"Where nothing applies settings the former is `no`. The status is 200 also when the apply fails: the settings are committed.",
			Params: []Param{paramTx, paramMessage, paramTry, paramWait, paramIfMatch},
			Status: http.StatusOK, Type: typeJSON, Answer: "Names", Waits: "AppliedChange", Refuses: p.commit,
		},
		{
			Method: "POST", Path: "/tx/apply", Role: Operator, Changes: true, handle: (*Server).applyCurrent,
			Summary: "Apply current settings",
			About: "An apply makes all files what the settings say, and deals with the units of those that change. `Bulkhead-Apply` is its name. " +
				"One is carried out at a time; requests that come meanwhile share the next one, which takes the newest settings.",
			Params: []Param{inQuery("keys", "Names joined by commas. They are looked at only: an apply is about all settings."), paramWait},
			Status: http.StatusNoContent, Waits: "Apply", Refuses: []problem.Kind{problem.InvalidParameter, problem.NoApply},
		},
	}
}

func generationRoutes() []Route {
	noGeneration := []problem.Kind{problem.InvalidParameter, problem.NoGeneration}
	return []Route{
		{
			Method: "GET", Path: "/generations", Role: Reader, handle: (*Server).listGenerations,
			Summary: "History of the settings, newest first",
			Params: []Param{
				number(inQuery("limit", "How many; 50 without it.")), number(inQuery("before", "Only those before the generation of this number.")),
			},
			Status: http.StatusOK, Type: typeJSON, Answer: "Generations", Refuses: routeProblems.parameter,
		},
		{
			Method: "GET", Path: "/generations/{id}", Role: Reader, handle: (*Server).getGeneration,
			Summary: "One generation with its user settings",
			Params:  []Param{paramID, inQuery("format", "`toml` gives the settings alone, as TOML.", "json", "toml"), paramSecrets},
			Status:  http.StatusOK, Type: typeJSON, Answer: "GenerationWithSettings", Refuses: noGeneration,
		},
		{
			Method: "GET", Path: "/generations/{id}/diff", Role: Reader, handle: (*Server).diffGenerations,
			Summary: "Difference between two generations",
			Params:  []Param{paramID, inQuery("to", "Number of the other generation, or `current`. Without it, what the generation changed in its parent."), paramSecrets},
			Status:  http.StatusOK, Type: typeJSON, Answer: "Difference", Refuses: noGeneration,
		},
		{
			Method: "POST", Path: "/generations/{id}/revert", Role: Operator, Changes: true, handle: (*Server).revert,
			Summary: "Go back to the settings of a generation",
			About: "This adds a generation, ends a try, and applies what came back, as `/tx/commit_and_apply` does. As there, a caller on the network who " +
				"changes the network by it has it tried, unless he goes back to what was there before a try. `Bulkhead-Generation`, `ETag`, " +
				"`Bulkhead-Try-Deadline` and `Bulkhead-Try` are as there.",
			Params: []Param{paramID, paramMessage, paramTry, inQuery("apply", "`0` leaves files and units as they are.", "0", "1"), paramWait, paramIfMatch},
			Status: http.StatusOK, Type: typeJSON, Answer: "Names", Waits: "AppliedChange",
			Refuses: append([]problem.Kind{problem.InvalidSettings, problem.Stale, problem.ReadOnly, problem.NoSpace}, noGeneration...),
		},
		{
			Method: "POST", Path: "/confirm", Role: Operator, Changes: true, handle: (*Server).confirm,
			Summary: "Keep the generation that is being tried",
			Params:  []Param{number(inQuery("generation", "The generation to keep. Without it, whichever is being tried."))},
			Status:  http.StatusOK, Type: typeJSON, Answer: "Generation",
			Refuses: []problem.Kind{problem.InvalidParameter, problem.NoTry, problem.ReadOnly, problem.NoSpace},
		},
	}
}

func nodeRoutes() []Route {
	return []Route{
		{
			Method: "GET", Path: "/os", Role: Reader, handle: (*Server).getOS,
			Summary: "Facts about the running image", Params: []Param{inQuery("prefix", "How the names begin that are wanted.")},
			Status: http.StatusOK, Type: typeJSON, Answer: "OS", Refuses: routeProblems.parameter,
		},
		{
			Method: "GET", Path: "/logs", Role: Reader, handle: (*Server).getLogs,
			Summary: "Lines of the journal, as lines of JSON",
			About: "The oldest line comes first. Empty lines show that the other side is there. An answer that does not follow has at most the last 100000 lines. " +
				"`after` and the cursor of the last line seen resume a stream that broke off.",
			Params: []Param{
				inQuery("unit", "Name of a unit. What systemd says about it belongs to it."),
				inQuery("boot", "`0` for this boot, `-1` for the one before it, and so on, or the id of a boot. Without it, or with `all`, those that are kept."),
				inQuery("priority", "The least syslog level: `emerg`, `alert`, `crit`, `err`, `warning`, `notice`, `info`, `debug`, or 0 to 7."),
				inQuery("since", "The first time: `2026-01-02T03:04:05Z`, a date, or how long ago, as `90s` or `2h`."),
				inQuery("after", "Cursor of the line before the first."),
				number(inQuery("lines", "Only the last so many.")),
				inQuery("kernel", "`1`: only what the kernel says.", "0", "1", "false", "true"),
				inQuery("follow", "`1`: go on with lines as they come.", "0", "1", "false", "true"),
			},
			Status: http.StatusOK, Type: typeNDJSON, Answer: "LogLine",
			Refuses: []problem.Kind{problem.InvalidParameter, problem.TooManyStreams, problem.NoJournal},
		},
		{
			Method: "POST", Path: "/actions/reboot", Role: Operator, Changes: true, handle: (*Server).reboot,
			Summary: "Reboot the node", About: "The answer comes first.",
			Status: http.StatusNoContent, Refuses: []problem.Kind{problem.NoPower},
		},
		{
			Method: "POST", Path: "/actions/shutdown", Role: Operator, Changes: true, handle: (*Server).shutdown,
			Summary: "Switch the node off", About: "The answer comes first.",
			Status: http.StatusNoContent, Refuses: []problem.Kind{problem.NoPower},
		},
		{
			Method: "GET", Path: "/maintenance", Role: Reader, handle: (*Server).getMaintenance,
			Summary: "Whether the node waits for its first settings", About: "Root gets the code, too.",
			Status: http.StatusOK, Type: typeJSON, Answer: "Maintenance",
		},
		{
			Method: "POST", Path: "/actions/maintenance", Role: Operator, Changes: true, handle: (*Server).openMaintenance,
			Summary: "Have the node wait for its first settings on the network",
			About:   "For root only, who does so when there was no user data. It is refused when the image does not want it, and once there are settings.",
			Status:  http.StatusOK, Type: typeJSON, Answer: "Maintenance", Refuses: []problem.Kind{problem.NoMaintenance},
		},
		{
			Method: "POST", Path: "/actions/first-settings", Role: None, Changes: true, handle: (*Server).firstSettings,
			Summary: "Give a node that waits for them its first settings, and apply them",
			About:   "For callers on the network without a certificate, while the node waits. What stands beside the table `settings` is ignored, with a warning.",
			Params: []Param{
				{Name: codeHeader, In: "header", About: "The code on the console of the node.", Type: "string"},
				inQuery("closed", "`1`: also settings that do not open the API to the network.", "0", "1"),
			},
			Body: []string{typeJSON, "application/toml"}, Status: http.StatusOK, Type: typeJSON, Answer: "Names",
			Refuses: append([]problem.Kind{problem.NoMaintenance, problem.TooManyRequests}, routeProblems.change...),
		},
		{
			Method: "GET", Path: "/actions/reset", Role: Reader, handle: (*Server).describeReset,
			Summary: "What a reset would destroy",
			Params:  []Param{paramKeepData},
			Status:  http.StatusOK, Type: typeJSON, Answer: "ResetPlan", Refuses: routeProblems.parameter,
		},
		{
			Method: "POST", Path: "/actions/reset", Role: Admin, Changes: true, handle: (*Server).reset,
			Summary: "Have the node forget everything, and reboot it",
			About:   "The answer comes first. The next boot destroys what `GET /actions/reset` lists and takes user data again, as the first one did. ",
			Params:  []Param{paramKeepData},
			Status:  http.StatusNoContent, Refuses: append([]problem.Kind{problem.NoPower}, routeProblems.parameter...),
		},
		{
			Method: "GET", Path: "/schema", Role: Reader, handle: (*Server).getSchema,
			Summary: "JSON Schema of this node's settings", Status: http.StatusOK, Type: "application/schema+json", Answer: "Any",
		},
		{
			Method: "GET", Path: "/openapi.yaml", Role: Reader, handle: (*Server).getOpenAPI,
			Summary: "This description", Status: http.StatusOK, Type: "application/yaml", Answer: "Any",
		},
		{
			Method: "GET", Path: "/health", Role: Reader, handle: (*Server).getHealth,
			Summary: "How the node is", About: "`starting` until its boot is complete, then `degraded` while there is a fault that is more than an information.",
			Status: http.StatusOK, Type: typeJSON, Answer: "Health",
		},
		{
			Method: "GET", Path: "/metrics", Role: Reader, handle: (*Server).getMetrics,
			Summary: "Metrics in the text form of Prometheus", Status: http.StatusOK, Type: typeText, Answer: "Text",
		},
		{
			Method: "GET", Path: "/events", Role: Reader, handle: (*Server).getEvents,
			Summary: "Events as they happen, as server-sent events",
			About: "The kinds are commit, revert, try-started, try-confirmed, try-reverted, generated, tx-expired, recovered, migrated, " +
				"apply-started, apply-finished, update-progress and update-finished, and `reset` where events may have been missed. The data is a JSON object.",
			Params: []Param{inQuery("kinds", "Kinds of events joined by commas. Without it, all."), paramEventID},
			Status: http.StatusOK, Type: "text/event-stream", Answer: "Text",
			Refuses: []problem.Kind{problem.InvalidParameter, problem.TooManyStreams},
		},
	}
}

// Handler routes the requests of the API.
func (s *Server) Handler() http.Handler {
	r := chi.NewRouter()
	for i := range s.routes {
		rt := &s.routes[i]
		h := s.handle(rt)
		r.Method(rt.Method, rt.Path, h)
		if rt.Method == http.MethodGet {
			r.Method(http.MethodHead, rt.Path, h) // net/http leaves out the body
		}
	}
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, problem.New(problem.NoRoute, "there is nothing at %q", shorten(r.URL.Path)).WithHint("GET /openapi.yaml lists all routes"))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		allow := allowed(r, req.URL.Path)
		w.Header().Set("Allow", allow)
		problem.Write(w, problem.New(problem.WrongMethod, "%s does not take %s", shorten(req.URL.Path), shorten(req.Method)).WithHint("it takes %s", allow))
	})
	return r
}

// allowed lists the methods that path takes.
func allowed(routes chi.Routes, path string) string {
	var out []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodDelete} {
		if routes.Match(chi.NewRouteContext(), m, path) {
			out = append(out, m)
		}
	}
	return strings.Join(out, ", ")
}
