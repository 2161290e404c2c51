package openapi

// updateComponents are the schemas of what the API answers about updates.
func updateComponents() object {
	actions := []any{"refresh", "prepare", "activate", "deactivate", "apply", "rollback", "cancel"}
	action := object{{"type", "string"}, {"enum", actions}}
	orNull := func(of object, about string) object {
		return object{{"anyOf", []any{of, object{{"type", "null"}}}}, {"description", about}}
	}
	return object{
		{"UpdateStatus", record(object{
			{"update_state", object{{"type", "string"}, {"enum", []any{"Idle", "Available", "Staged", "Ready"}}}},
			{"available_updates", list(str("A version; the newest comes first."))},
			{"chosen_update", orNull(ref("UpdateImage"), "What the next `POST /actions/prepare-update` fetches.")},
			{"active_partition", orNull(ref("UpdateSlot"), "The slot that runs.")},
			{"staging_partition", orNull(ref("UpdateSlot"), "The other slot, where something is written in it.")},
			{"most_recent_command", orNull(ref("UpdateCommand"), "The last action that ended. Whoever waits for one waits for another time than before.")},
			{"progress", ref("UpdateProgress")},
			{"checked", moment("When updates were last looked for with success.")},
			{"waiting", str("Why the newest version is not the chosen one.")},
			{"failed", object{{"type", "object"}, {"description", "Versions that were tried here and did not hold, with the reason."}, {"additionalProperties", str("")}}},
		}, "update_state", "available_updates", "chosen_update", "active_partition", "staging_partition", "most_recent_command")},
		{"UpdateImage", record(object{{"arch", str("")}, {"version", str("")}, {"variant", str("")}}, "arch", "version", "variant")},
		{"UpdateSlot", record(object{{"image", ref("UpdateImage")}, {"next_to_boot", truth("")}}, "image", "next_to_boot")},
		{"UpdateCommand", record(object{
			{"cmd_type", action},
			{"cmd_status", object{{"type", "string"}, {"enum", []any{"Success", "Failed", "Unknown"}}}},
			{"timestamp", moment("When it ended.")},
			{"exit_status", object{{"type", []any{"integer", "null"}}}},
			{"stderr", object{{"type", []any{"string", "null"}}, {"description", "What went wrong."}}},
		}, "cmd_type", "cmd_status", "timestamp", "exit_status", "stderr")},
		{"UpdateProgress", record(object{
			{"action", object{{"type", "string"}, {"description", "Empty while the action begins, or ends."}, {"enum", append([]any{""}, actions...)}}},
			{"step", str("For people.")},
			{"version", str("")},
			{"started", moment("")},
			{"updated", moment("")},
			{"running", truth("Whether it goes on; otherwise it is that of the last action.")},
			{"total", count("Size in bytes of what makes a slot.")},
			{"patched", count("Bytes of it that were made from what the node has with a patch.")},
			{"reused", count("Bytes of it that were in the running slot, or there already.")},
			{"fetched", count("Bytes of it that were fetched as they are.")},
			{"received", count("Bytes that came over the network or out of a bundle, patches and metadata included.")},
		}, "action", "step", "started", "updated", "running", "total", "patched", "reused", "fetched", "received")},
		{"UpdatePlan", record(object{
			{"action", action},
			{"running", str("The version that runs.")},
			{"version", str("What the action leads to; missing where there is nothing to do.")},
			{"waiting", str("Why that is not the newest version, or why there is none.")},
			{"from", list(str("An address that files are fetched from; they are asked in this order."))},
			{"fetch", list(record(object{
				{"for", str("`migrations`, `tree`, `boot-program` or `root`.")},
				{"target", str("The name of the file in the repository.")},
				{"bytes", count("")},
				{"at_most", truth("Whether blocks that the node has are not fetched; how many those are shows later.")},
			}, "for", "target", "bytes"))},
			{"steps", list(str("A change of the node, in words; they are made in this order."))},
		}, "action", "running", "steps")},
		{"UpdateHistory", list(record(object{
			{"time", moment("")},
			{"kind", str("An action, or `kept` and `failed` for what became of a version.")},
			{"version", str("")},
			{"from", str("The version that ran.")},
			{"actor", str("")},
			{"ok", truth("")},
			{"detail", str("")},
		}, "time", "kind", "ok"))},
	}
}
