package server

import (
	"net/http"

	"github.com/bulkhead-os/bulkhead/api/problem"
)

func applyRoutes() []Route {
	return []Route{
		{
			Method: "GET", Path: "/applies", Role: Reader, handle: (*Server).listApplies,
			Summary: "Applies, newest first", About: "The last 50 since the daemon started are kept.",
			Params: []Param{number(inQuery("limit", "How many; all without it."))},
			Status: http.StatusOK, Type: typeJSON, Answer: "Applies", Refuses: routeProblems.parameter,
		},
		{
			Method: "GET", Path: "/applies/{id}", Role: Reader, handle: (*Server).getApply,
			Summary: "What became of an apply", About: "While it is under way, what is done so far.",
			Params: []Param{{Name: "id", In: "path", About: "Name of the apply, as `Bulkhead-Apply` gives it.", Type: "string"}},
			Status: http.StatusOK, Type: typeJSON, Answer: "Apply", Refuses: []problem.Kind{problem.UnknownApply},
		},
	}
}

// paramNeededKeys is paramKeys where it has to be given.
var paramNeededKeys = inQuery("keys", "Names of settings joined by commas. Needed.")

func imageRoutes() []Route {
	selection := func(what string) []Param {
		return []Param{
			inQuery("names", "Names joined by commas. Unknown ones are refused."),
			inQuery("prefix", "How the names begin that are wanted; the leading `"+what+".` may be left out."),
		}
	}
	refuses := []problem.Kind{problem.InvalidParameter, problem.UnknownName}
	return []Route{
		{
			Method: "GET", Path: "/services", Role: Reader, handle: (*Server).getServices,
			Summary: "Units of the image with their configuration files",
			Params:  selection(servicesSection), Status: http.StatusOK, Type: typeJSON, Answer: "Services", Refuses: refuses,
		},
		{
			Method: "GET", Path: "/configuration-files", Role: Reader, handle: (*Server).getConfigurationFiles,
			Summary: "Files of the image that are made from settings",
			Params:  selection(filesSection), Status: http.StatusOK, Type: typeJSON, Answer: "ConfigurationFiles", Refuses: refuses,
		},
		{
			Method: "GET", Path: "/metadata/affected-services", Role: Reader, handle: (*Server).getAffectedServices,
			Summary: "Services whose files depend on settings", About: "Settings that no service depends on are left out.",
			Params: []Param{paramNeededKeys}, Status: http.StatusOK, Type: typeJSON, Answer: "NamesByKey", Refuses: routeProblems.parameter,
		},
		{
			Method: "GET", Path: "/metadata/readers", Role: Reader, handle: (*Server).getReaders,
			Summary: "Files and programs that depend on settings", About: "Settings that nothing depends on are left out.",
			Params: []Param{paramNeededKeys}, Status: http.StatusOK, Type: typeJSON, Answer: "Readers", Refuses: routeProblems.parameter,
		},
		{
			Method: "GET", Path: "/metadata/setting-generators", Role: Reader, handle: (*Server).getGenerators,
			Summary: "Programs that generate settings", About: "Always empty: such programs are units of the image. `GET /settings?origin=1` tells what they generated.",
			Status: http.StatusOK, Type: typeJSON, Answer: "SettingsPart",
		},
		{
			Method: "GET", Path: "/metadata/templates", Role: Reader, handle: (*Server).getTemplates,
			Summary: "Templates of settings", About: "Always empty: no setting is a template.",
			Params: []Param{paramNeededKeys}, Status: http.StatusOK, Type: typeJSON, Answer: "SettingsPart", Refuses: routeProblems.parameter,
		},
	}
}
