package openapi

// containerComponents are the schemas of what the API answers about containers.
func containerComponents() object {
	return object{
		{"Containers", list(record(object{
			{"name", str("")},
			{"kind", object{{"type", "string"}, {"enum", []any{"host", "bootstrap", "declared", "debug"}}}},
			{"unit", str("That runs it. The journal has what it writes under this name.")},
			{"image", str("")},
			{"digest", str("Of the image that it was made from.")},
			{"state", object{{"type", "string"}, {"enum", []any{"off", "starting", "running", "stopping", "waiting", "stopped", "failed"}}}},
			{"started", moment("")},
			{"exit_status", count("How it ended, where it has.")},
			{"restarts", count("How often it was started again by itself.")},
			{"superpowered", truth("")},
		}, "name", "kind", "state", "restarts"))},
		{"ContainerImage", record(object{{"name", str("")}, {"digest", str("")}}, "name", "digest")},
		{"PullProgress", object{{"anyOf", []any{
			record(object{{"done", count("Bytes that were fetched.")}, {"total", count("Bytes that there are, as far as is known.")}}, "done", "total"),
			record(object{{"image", ref("ContainerImage")}}, "image"),
			record(object{{"problem", ref("Problem")}}, "problem"),
		}}}},
	}
}
