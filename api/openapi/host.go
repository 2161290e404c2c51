package openapi

// hostComponents are the schemas of what the API answers about files, programs
// and units.
func hostComponents() object {
	verb := func(names ...any) object { return object{{"type", "string"}, {"enum", names}} }
	files := verb("create", "update", "remove", "mode", "settle")
	units := verb("start", "stop", "restart", "reload")
	return object{
		{"Services", table(record(object{
			{"configuration-files", list(str("Name of a configuration file."))},
			{"restart-commands", list(str("What follows when one of them changes, in the words of systemctl."))},
		}))},
		{"ConfigurationFiles", table(record(object{
			{"path", str("With `{{` for one file per entry of a setting.")},
			{"template-path", str("")},
			{"mode", str("In octal.")},
		}))},
		{"NamesByKey", table(list(str("")))},
		{"Readers", table(record(object{
			{"files", list(record(object{
				{"name", str("")},
				{"path", str("")},
				{"units", list(str(""))},
				{"on_change", str("What the units do when the file changes: restart, reload, reload-or-start, none, or the name of a program that runs.")},
			}, "name", "path", "units", "on_change"))},
			{"programs", list(str("A program that reads the setting by itself."))},
		}, "files", "programs"))},
		{"FileChange", record(object{
			{"path", str("")},
			{"action", files},
			{"mode", str("In octal.")},
			{"owner", str("")},
			{"group", str("")},
			{"secret", truth("The difference is not shown.")},
			{"diff", str("Unified.")},
			{"units", list(str(""))},
		}, "path", "action")},
		{"ProgramAction", record(object{
			{"package", str("")},
			{"name", str("")},
			{"exec", list(str(""))},
			{"because", list(str("Path of a file that changes."))},
		}, "package", "name", "exec", "because")},
		{"UnitAction", record(object{
			{"name", str("")},
			{"action", units},
			{"because", list(str("Path of a file that changes."))},
			{"after", list(str("A unit to be done with before."))},
			{"starts", truth("Whether the unit is started where it would be reloaded and does not run.")},
		}, "name", "action", "because")},
		{"AppliedChange", record(object{{"changed", list(str(""))}, {"apply", ref("Apply")}}, "changed")},
		{"Applies", list(ref("Apply"))},
		{"Apply", record(object{
			{"id", str("")},
			{"status", verb("waiting", "running", "ok", "failed", "nothing")},
			{"generation", count("The generation that is applied.")},
			{"reason", verb("commit", "revert", "apply", "try-reverted")},
			{"actor", ref("Actor")},
			{"requested", moment("")},
			{"started", moment("")},
			{"finished", moment("")},
			{"error", str("A fault of the apply as a whole.")},
			{"notes", list(str("What was left out on purpose."))},
			{"files", list(record(object{{"path", str("")}, {"action", files}, {"error", str("")}}, "path", "action"))},
			{"actions", list(record(object{
				{"package", str("")}, {"name", str("")}, {"error", str("")}, {"output", str("The end of what the program wrote.")},
			}, "package", "name"))},
			{"units", list(record(object{
				{"name", str("")},
				{"action", units},
				{"state", str("Afterwards, as systemd names it.")},
				{"sub", str("")},
				{"note", str("Why nothing was done.")},
				{"error", str("")},
				{"journal", list(str(""))},
			}, "name", "action"))},
			{"faults", list(record(object{
				{"package", str("")},
				{"template", str("")},
				{"line", count("")},
				{"column", count("")},
				{"path", str("Of the file.")},
				{"setting", str("")},
				{"detail", str("")},
			}, "package", "detail"))},
		}, "id", "status", "generation", "reason", "actor", "requested", "files", "actions", "units", "faults")},
	}
}
