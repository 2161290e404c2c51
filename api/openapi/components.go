package openapi

import "slices"

func typed(kind, about string) object {
	o := object{{"type", kind}}
	if about != "" {
		o = append(o, member{"description", about})
	}
	return o
}

func str(about string) object    { return typed("string", about) }
func count(about string) object  { return typed("integer", about) }
func truth(about string) object  { return typed("boolean", about) }
func moment(about string) object { return append(str(about), member{"format", "date-time"}) }
func ref(name string) object     { return object{{"$ref", "#/components/schemas/" + name}} }
func list(of object) object      { return object{{"type", "array"}, {"items", of}} }

// record is an object with the given members, of which those named required
// are always there.
func record(members object, required ...string) object {
	o := object{{"type", "object"}, {"properties", members}}
	if len(required) > 0 {
		names := make([]any, len(required))
		for i, r := range required {
			names[i] = r
		}
		o = append(o, member{"required", names})
	}
	return o
}

// table is an object with names that the schema does not know.
func table(of object) object {
	return object{{"type", "object"}, {"additionalProperties", of}}
}

// settings are nested by the segments of their keys. What the API gives is
// part of a document, or hides secrets, or shows an unset as null, so answers
// are described less strictly than the component Settings.
var settings = object{{"type", "object"}, {"description", "Settings nested by the segments of their names."}}

// components are the schemas of what the API answers.
func components() object {
	return slices.Concat(settingsComponents(), hostComponents(), updateComponents(), containerComponents())
}

func settingsComponents() object {
	return object{
		{"Any", object{}},
		{"Text", str("")},
		{"Names", list(str(""))},
		{"SettingsPart", settings},
		{"SettingsPatch", object{{"type", "object"}, {"description", "Settings as in Settings, of which only those to change are given. null unsets in a merge patch and stands for nothing elsewhere."}}},
		{"Pairs", record(object{{"request_payload", list(str("KEY=VALUE"))}}, "request_payload")},
		{"SettingsOrOrigins", object{{"anyOf", []any{ref("Origins"), ref("SettingsPart")}}}},
		{"Sections", record(object{
			{"settings", settings}, {"services", ref("Services")}, {"configuration-files", ref("ConfigurationFiles")}, {"os", ref("OS")},
		})},
		{"Origins", table(ref("Origin"))},
		{"Origin", record(object{
			{"value", object{}},
			{"layer", object{{"type", "string"}, {"enum", []any{"user", "generated", "default"}}}},
			{"generation", count("The generation that set it last.")},
			{"time", moment("")},
			{"actor", str("")},
			{"generator", str("The program that generated it.")},
			{"strength", object{{"type", "string"}, {"enum", []any{"strong", "weak"}}}},
		}, "value", "layer")},
		{"Actor", record(object{
			{"name", str("")},
			{"uid", count("")},
			{"pid", count("")},
			{"role", str("")},
			{"via", object{{"type", "string"}, {"enum", []any{"socket", "tls", "internal"}}}},
		}, "uid")},
		{"Transaction", record(object{
			{"name", str("")},
			{"created", moment("")},
			{"expires", moment("")},
			{"actor", ref("Actor")},
			{"keys", count("How many settings it changes.")},
		}, "name", "created", "expires", "actor", "keys")},
		{"Transactions", list(object{{"anyOf", []any{str(""), ref("Transaction")}}})},
		{"Generation", record(generation(), "id", "parent", "time", "actor", "changed", "current", "confirmed")},
		{"Generations", list(ref("Generation"))},
		{"GenerationWithSettings", record(append(generation(), member{"settings", settings}),
			"id", "parent", "time", "actor", "changed", "current", "confirmed", "settings")},
		{"Change", record(object{
			{"key", str("")},
			{"old", object{{"description", "null where it is not set."}}},
			{"new", object{{"description", "null where it is not set."}}},
		}, "key", "old", "new")},
		{"Difference", record(object{{"from", count("")}, {"to", count("")}, {"changes", list(ref("Change"))}}, "from", "to", "changes")},
		{"Plan", record(object{
			{"generation", count("The generation that the plan starts from.")},
			{"changes", list(ref("Change"))},
			{"faults", list(ref("Fault"))},
			{"files", list(ref("FileChange"))},
			{"daemon_reload", truth("systemd has to read its units again.")},
			{"actions", list(ref("ProgramAction"))},
			{"units", list(ref("UnitAction"))},
		}, "generation", "changes", "faults")},
		{"OS", record(object{
			{"variant_id", str("")},
			{"arch", str("")},
			{"version_id", str("")},
			{"pretty_name", str("")},
			{"build_id", str("")},
			{"boot_id", str("Changes with every start of the kernel.")},
			{"machine_id", str("")},
			{"kernel", str("Release of the kernel.")},
			{"root_hash", str("Of the running image, in hexadecimal.")},
			{"slot", object{{"type", "string"}, {"description", "Where the running image lies."}, {"enum", []any{"A", "B"}}}},
			{"uptime", typed("number", "Seconds since the kernel started.")},
		})},
		{"LogLine", record(object{
			{"time", moment("")},
			{"unit", str("")},
			{"identifier", str("What the program calls itself.")},
			{"pid", count("")},
			{"priority", count("Syslog level: 0 is the worst, 7 the least.")},
			{"message", str("")},
			{"cursor", str("Stands for the line in `after`.")},
		}, "time", "priority", "message", "cursor")},
		{"Maintenance", record(object{{"waiting", truth("")}, {"code", str("The code that stands on the console.")}}, "waiting")},
		{"ResetPlan", record(object{{"destroys", list(ref("Thing"))}, {"keeps", list(ref("Thing"))}}, "destroys", "keeps")},
		{"Thing", record(object{{"name", str("")}, {"detail", str("")}}, "name", "detail")},
		{"Health", record(object{
			{"status", object{{"type", "string"}, {"enum", []any{"starting", "ok", "degraded"}}}},
			{"faults", list(ref("Fault"))},
			{"generation", count("")},
			{"try", record(object{{"generation", count("")}, {"base", count("The generation whose settings come back.")}, {"deadline", moment("")}}, "generation", "base", "deadline")},
			{"version", str("")},
			{"variant", str("")},
			{"uptime", typed("number", "Seconds.")},
		}, "status", "faults", "generation", "version", "variant", "uptime")},
		{"Fault", record(object{
			{"severity", object{{"type", "string"}, {"enum", []any{"error", "warning", "info"}}}},
			{"path", str("Name of the setting, from `settings.` on.")},
			{"value", str("As given, shortened; hidden for secrets.")},
			{"code", str("")},
			{"detail", str("What is wrong.")},
			{"hint", str("What would be right.")},
			{"source", str("")},
			{"line", count("From 1.")},
			{"column", count("From 1, in bytes.")},
		}, "severity", "code", "detail")},
		{"Problem", record(object{
			{"type", str("")},
			{"title", str("")},
			{"status", count("")},
			{"detail", str("")},
			{"path", str("The setting that the first fault is about.")},
			{"code", str("Of the first fault, else of the problem.")},
			{"hint", str("What would be right.")},
			{"instance", str("Names the line in the daemon's log that has the cause.")},
			{"errors", list(ref("Fault"))},
		}, "type", "title", "status", "detail", "code")},
	}
}

func generation() object {
	return object{
		{"id", count("")},
		{"parent", count("The generation that was current before; 0 for none.")},
		{"time", moment("")},
		{"actor", ref("Actor")},
		{"message", str("")},
		{"origin", str("Where it came from, unless from a commit.")},
		{"try", truth("It was committed on trial.")},
		{"changed", count("How many settings it mentions.")},
		{"current", truth("")},
		{"confirmed", truth("False while it is being tried, and when it was not confirmed in time.")},
		{"deadline", moment("When it reverts, unless it is confirmed.")},
	}
}
