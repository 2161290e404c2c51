package render

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"text/template"
	"unicode"

	"github.com/Masterminds/sprig/v3"
)

// fromSprig are the functions of sprig that templates have: what depends on
// nothing but its arguments, changes none of them, does not hide errors, and
// does not multiply text or numbers without bound. Functions of our own with
// the same name replace them.
var fromSprig = []string{
	"abbrev", "trunc", "trim", "upper", "lower", "substr", "trimAll", "trimSuffix", "trimPrefix", "nospace",
	"snakecase", "camelcase", "kebabcase", "contains", "hasPrefix", "hasSuffix", "replace", "toString", "toStrings",
	"sha1sum", "sha512sum", "adler32sum",
	"int", "int64", "add1", "add", "sub", "div", "mod", "mul", "max", "min",
	"list", "dict", "hasKey", "pick", "omit", "first", "rest", "last", "initial", "append", "prepend", "reverse",
	"uniq", "without", "has", "slice", "concat", "chunk", "compact", "sortAlpha", "join", "splitList",
	"empty", "ternary", "all", "any", "deepEqual", "kindIs", "kindOf", "typeIs",
	"base", "dir", "clean", "ext", "isAbs", "b64enc", "b32enc", "b32dec",
	"semver", "semverCompare",
	"regexMatch", "regexFind", "regexFindAll", "regexReplaceAll", "regexReplaceAllLiteral", "regexSplit", "regexQuoteMeta",
	"fail",
}

// encoders are the functions that give what can be printed.
func encoders() template.FuncMap {
	return template.FuncMap{
		"toml": toml, "tomlkey": tomlKey, "yaml": yaml, "json": jsonText,
		"systemd": systemd, "systemdexec": systemdExec, "systemdvalue": systemdValue, "systemdenv": environment, "shell": environment,
		"ini": ini, "word": word, "line": line, "content": content,
		"hosts_entries": hostsEntries, "localhost_aliases": localhostAliases,
	}
}

// helpers are the functions that give values.
func helpers() template.FuncMap {
	return template.FuncMap{
		"optmember": optionalMember, "default": fallback, "coalesce": coalesce, "negate": negate,
		"any_enabled": anyEnabled, "is_enabled": isEnabled, "keys": names, "values": values, "join_map": joinMap,
		"b64dec": base64Decoded, "from_yaml": fromYAML, "sha256sum": digest, "duration": duration, "seconds": seconds,
		"goarch": goarch, "url_host": urlHost, "cidr_ip": cidrIP, "is_ipv4": isIPv4, "is_ipv6": isIPv6,
		"kube_reserve_cpu": kubeReserveCPU, "kube_reserve_memory": kubeReserveMemory, "node_labels": nodeLabels, "node_taints": nodeTaints,
		"image_ref": imageRef, "image_region": imageRegion, "certs_dir": certsDir, "registry_server": registryServer, "registry_host": registryHost,
		"oci_capabilities": ociCapabilities, "cpu_percent": cpuPercent,
	}
}

// stateful are the functions that depend on what is rendered.
func stateful(ctx context.Context, d Data, last func(any) (encoded, error)) template.FuncMap {
	return template.FuncMap{
		"setting": d.Settings.setting, "optional": d.Settings.optional, "have": d.Settings.have, "member": d.Settings.member,
		"ecr_prefix":     func(account, region string) (string, error) { return ecrPrefix(account, region, d.Node.FIPS) },
		"oci_rlimits":    func(limits map[string]any) ([]any, error) { return ociLimits(limits, d.Node.EFA) },
		"docker_ulimits": func(limits map[string]any) (map[string]any, error) { return dockerLimits(limits, d.Node.EFA) },
		printFunc:        last,
		keepFunc:         keep,
		tickFunc:         func() (encoded, error) { return "", check(ctx) },
	}
}

// functions are all functions that a template can name. Those that depend on
// what is rendered only have their place here.
var functions = sync.OnceValue(func() template.FuncMap {
	out := template.FuncMap{}
	all := sprig.TxtFuncMap()
	for _, name := range fromSprig {
		out[name] = all[name]
	}
	maps.Copy(out, encoders())
	maps.Copy(out, helpers())
	for name := range stateful(context.Background(), Data{Input: Input{Settings: &Settings{}}}, nil) {
		out[name] = func(...any) (any, error) { return nil, errors.New("has nothing to work on yet") }
	}
	for _, name := range []string{printFunc, keepFunc, tickFunc} {
		delete(out, name)
	}
	return out
})

// named returns those functions that text can name. Package template copies the
// functions of a template several times, which took longer than to parse it
// when it had all of them.
func named(text string) template.FuncMap {
	all, out := functions(), template.FuncMap{}
	for word := range strings.FieldsFuncSeq(text, betweenWords) {
		if f := all[word]; f != nil {
			out[word] = f
		}
	}
	return out
}

// betweenWords reports whether r cannot be a part of the name of a function.
func betweenWords(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }
