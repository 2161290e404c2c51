package kubernetes

import (
	_ "embed"
	"strings"
	"sync"
)

// The fields of a configuration of the kubelet at each minor version that there
// are variants of: one in a line, with its path and its kind. In paths, "*" is any
// key of a map and "[]" any element of a list. A test of tools/validators writes
// them from the kubelet's own types.
var (
	//go:embed kubelet-1.36.txt
	fields36 string
	//go:embed kubelet-1.37.txt
	fields37 string
)

// extraFields returns the kind of each field, of any version, by its path.
var extraFields = sync.OnceValue(func() map[string]string {
	kinds := map[string]string{"": "object"}
	for _, text := range []string{fields36, fields37} {
		for line := range strings.Lines(text) {
			if path, kind, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				kinds[path] = kind
			}
		}
	}
	return kinds
})

// extraDenied are the fields on which the node itself counts, and why.
var extraDenied = map[string]string{
	"apiVersion": "is that of this setting", "kind": "is that of this setting",
	"authentication":           "decides who may use the node's kubelet",
	"authorization":            "decides who may use the node's kubelet",
	"address":                  "follows from standalone-mode and node-ip",
	"port":                     "is where the cluster looks for the kubelet",
	"readOnlyPort":             "gives away what pods do",
	"enableServer":             "is how the cluster reaches the kubelet",
	"healthzPort":              "is where the node asks the kubelet how it is",
	"healthzBindAddress":       "is where the node asks the kubelet how it is",
	"rotateCertificates":       "follows from authentication-mode",
	"serverTLSBootstrap":       "is server-tls-bootstrap",
	"tlsCertFile":              "is server-certificate",
	"tlsPrivateKeyFile":        "is server-key",
	"staticPodPath":            "is static-pods-enabled",
	"staticPodURL":             "lets another computer run pods: use static-pods",
	"staticPodURLHeader":       "lets another computer run pods: use static-pods",
	"containerRuntimeEndpoint": "is container-runtime-endpoint",
	"imageServiceEndpoint":     "is container-runtime-endpoint",
	"cgroupDriver":             "has to be what containerd uses",
	"cgroupRoot":               "is where systemd has the groups of pods",
	"cgroupsPerQOS":            "is where systemd has the groups of pods",
	"kubeletCgroups":           "is the unit of the kubelet",
	"systemCgroups":            "is the slice of the system",
	"kubeReservedCgroup":       "is the slice of the runtime",
	"systemReservedCgroup":     "is the slice of the system",
	"failCgroupV1":             "has no meaning: this system has version 2 alone",
	"resolvConf":               "is where the node has its name servers",
	"volumePluginDir":          "is the directory that can be written",
	"podLogsDir":               "is where pods are looked for that are to be logged",
	"registerNode":             "is standalone-mode",
	"runOnce":                  "ends the kubelet",
}
