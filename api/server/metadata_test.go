package server_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
)

const chronyPackage = `
[package]
name = "chrony"
summary = "Keeps the clock"
license = "GPL-2.0-only"

[[unit]]
name = "chrony.service"
[[unit]]
name = "chrony.socket"

[[config]]
path = "/etc/chrony/chrony.conf"
template = "chrony.conf.tmpl"
unit = "chrony.service"

[[config]]
path = "/etc/chrony/keys"
template = "keys.tmpl"
mode = "0600"
unit = "chrony.service"
on-change = "reload"
when = ["settings.metrics.send-metrics"]

[[reads]]
settings = ["settings.ntp.options"]
by = "chrony-watch"
`

const containersPackage = `
[package]
name = "host-containers"
summary = "Containers beside the orchestrator"
license = "Apache-2.0"

[[unit]]
name = "host-container@.service"

[[action]]
name = "tell"
exec = ["/usr/bin/tell", "all"]

[[config]]
path = "/etc/host-containers/{{ .key }}.toml"
template = "host-container.toml.tmpl"
for-each = "settings.host-containers"
unit = "host-container@{{ .key }}.service"

[[config]]
path = "/etc/host-containers.list"
template = "host-container.toml.tmpl"
unit = "host-container@all.service"
on-change = "tell"
reads = ["settings.network.https-proxy"]
`

// withCatalogue gives the node two packages.
func withCatalogue(t *testing.T) func(*server.Options) {
	t.Helper()
	var packages []*recipe.Package
	for _, in := range [][2]string{{"chrony", chronyPackage}, {"host-containers", containersPackage}} {
		p, rep := recipe.Parse(in[0], []byte(in[1]))
		if err := rep.Err(); err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	reads := func(_ *recipe.Package, c *recipe.Config) []key.Key {
		if c.Template == "chrony.conf.tmpl" {
			return []key.Key{key.Of("ntp", "time-servers")}
		}
		return nil
	}
	return func(o *server.Options) {
		o.Catalogue = func() *server.Catalogue { return server.NewCatalogue(packages, reads) }
	}
}

const (
	chronyService    = `"chrony":{"configuration-files":["chrony-conf","chrony-keys"],"restart-commands":["systemctl try-restart chrony.service","systemctl try-reload-or-restart chrony.service"]}`
	chronySocket     = `"chrony.socket":{"configuration-files":[],"restart-commands":[]}`
	containerService = `"host-container":{"configuration-files":["host-containers-host-container-toml","host-containers-host-container-toml-2"],` +
		`"restart-commands":["systemctl try-restart host-container@*.service","/usr/bin/tell all"]}`

	chronyConf     = `"chrony-conf":{"mode":"0644","path":"/etc/chrony/chrony.conf","template-path":"/usr/share/bulkhead/packages/chrony/chrony.conf.tmpl"}`
	chronyKeys     = `"chrony-keys":{"mode":"0600","path":"/etc/chrony/keys","template-path":"/usr/share/bulkhead/packages/chrony/keys.tmpl"}`
	containerFiles = `"host-containers-host-container-toml":{"mode":"0644","path":"/etc/host-containers/{{ .key }}.toml","template-path":"/usr/share/bulkhead/packages/host-containers/host-container.toml.tmpl"},` +
		`"host-containers-host-container-toml-2":{"mode":"0644","path":"/etc/host-containers.list","template-path":"/usr/share/bulkhead/packages/host-containers/host-container.toml.tmpl"}`

	chronyConfReader = `{"name":"chrony-conf","path":"/etc/chrony/chrony.conf","units":["chrony.service"],"on_change":"restart"}`
)

func TestMetadata(t *testing.T) {
	n := start(t, withCatalogue(t))
	services := `{` + chronyService + `,` + chronySocket + `,` + containerService + `}`
	files := `{` + chronyConf + `,` + chronyKeys + `,` + containerFiles + `}`
	n.table(t, []row{
		{name: "services", in: get("/services"), status: 200, want: services},
		{name: "services by name", in: get("/services?names=chrony"), status: 200, want: `{` + chronyService + `}`},
		{name: "unknown service", in: get("/services?names=chrony,chro"), status: 404, want: "unknown-name: the image has no services.chro"},
		{name: "services by prefix", in: get("/services?prefix=chro"), status: 200, want: `{` + chronyService + `}`},
		{name: "services by prefix with section", in: get("/services?prefix=services.host"), status: 200, want: `{` + containerService + `}`},
		{name: "quoted name", in: get(`/services?prefix=%22chrony.`), status: 200, want: `{` + chronySocket + `}`},
		{name: "member of a service", in: get("/services?prefix=chrony.conf"), status: 200, want: `{"chrony":{"configuration-files":["chrony-conf","chrony-keys"]}}`},
		{name: "nothing begins so", in: get("/services?prefix=x"), status: 200, want: `{}`},
		{name: "empty names", in: get("/services?names="), status: 400, want: "invalid-parameter: parameter names: is empty"},
		{name: "empty prefix", in: get("/services?prefix="), status: 400, want: "invalid-parameter: parameter prefix: is empty"},
		{name: "files", in: get("/configuration-files"), status: 200, want: files},
		{name: "files by name", in: get("/configuration-files?names=chrony-conf,chrony-keys"), status: 200, want: `{` + chronyConf + `,` + chronyKeys + `}`},
		{name: "unknown file", in: get("/configuration-files?names=x"), status: 404, want: "unknown-name: the image has no configuration-files.x"},
		{name: "files by prefix", in: get("/configuration-files?prefix=chrony-c"), status: 200, want: `{` + chronyConf + `}`},

		{name: "affected services", in: get("/metadata/affected-services?keys=settings.ntp.time-servers,motd"), status: 200, want: `{"settings.ntp.time-servers":["chrony"]}`},
		{name: "affected by a table", in: get("/metadata/affected-services?keys=ntp"), status: 200, want: `{"ntp":["chrony"]}`},
		{name: "affected by a condition", in: get("/metadata/affected-services?keys=metrics.send-metrics"), status: 200, want: `{"metrics.send-metrics":["chrony"]}`},
		{name: "affected by an entry", in: get("/metadata/affected-services?keys=host-containers.admin.enabled"), status: 200, want: `{"host-containers.admin.enabled":["host-container"]}`},
		{name: "bad key", in: get("/metadata/affected-services?keys=a..b"), status: 400, want: `invalid-parameter: parameter keys: key "a..b": segment 2 is empty`},
		{name: "no keys", in: get("/metadata/affected-services"), status: 400, want: "invalid-parameter: parameter keys: is missing"},
		{
			name: "readers", in: get("/metadata/readers?keys=ntp,ntp.options,motd"), status: 200,
			want: `{"ntp":{"files":[` + chronyConfReader + `],"programs":["chrony-watch"]},"ntp.options":{"files":[],"programs":["chrony-watch"]}}`,
		},
		{name: "generators", in: get("/metadata/setting-generators"), status: 200, want: `{}`},
		{name: "templates", in: get("/metadata/templates?keys=motd"), status: 200, want: `{}`},
		{name: "templates of no keys", in: get("/metadata/templates"), status: 400, want: "invalid-parameter: parameter keys: is missing"},

		{
			name: "all sections", in: get("/"), status: 200,
			want: `{"settings":` + everything + `,"services":` + services + `,"configuration-files":` + files + `,"os":` + factsJSON + `}`,
		},
		{name: "sections that begin with s", in: get("/?prefix=s"), status: 200, want: `{"settings":` + everything + `,"services":` + services + `}`},
		{name: "one service", in: get("/?prefix=services.host"), status: 200, want: `{"services":{` + containerService + `}}`},
		{name: "one file", in: get("/?prefix=configuration-files.chrony-k"), status: 200, want: `{"configuration-files":{` + chronyKeys + `}}`},
	})
}

// Without packages there are no such sections.
func TestMetadataWithoutPackages(t *testing.T) {
	start(t).table(t, []row{
		{name: "services", in: get("/services"), status: 200, want: `{}`},
		{name: "service by name", in: get("/services?names=a"), status: 404, want: "unknown-name: the image has no services.a"},
		{name: "by prefix", in: get("/services?prefix=a"), status: 200, want: `{}`},
		{name: "affected services", in: get("/metadata/affected-services?keys=motd"), status: 200, want: `{}`},
		{name: "section", in: get("/?prefix=serv"), status: 200, want: `{}`},
	})
}
