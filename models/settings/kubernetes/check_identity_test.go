package kubernetes_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

func TestCheckIdentity(t *testing.T) {
	aws, tls := kubernetes.AuthenticationAWS, kubernetes.AuthenticationTLS
	server := valuetest.Parse[kubernetes.APIServer](t, "https://api.example.org/")
	cluster := valuetest.Parse[kubernetes.ClusterName](t, "prod")
	key := scalar.NewSecret(*base64(t, "a2V5"))
	none := scalar.NewSecret(*base64(t, ""))
	runChecks(t, []checkTest{
		{name: "nothing set", settings: kubernetes.Settings{}},
		{name: "defaults off AWS", settings: kubernetes.Settings{AuthenticationMode: &tls, StandaloneMode: new(false)}},
		{name: "standalone with the default mode", settings: kubernetes.Settings{AuthenticationMode: &aws, StandaloneMode: new(true)}},
		{name: "complete on AWS", settings: kubernetes.Settings{AuthenticationMode: &aws, APIServer: server, ClusterName: cluster}},
		{name: "complete off AWS", settings: kubernetes.Settings{AuthenticationMode: &tls, APIServer: server, BootstrapToken: token(t)}},
		{
			name: "no way to join", settings: kubernetes.Settings{AuthenticationMode: &tls, APIServer: server},
			want: []string{
				`warning: settings.kubernetes.bootstrap-token: authentication-mode is tls and bootstrap-token is unset: ` +
					`a node that has not joined yet cannot join (set bootstrap-token, unless the node has joined before)`,
			},
		},
		{
			name: "token not used", settings: kubernetes.Settings{AuthenticationMode: &aws, BootstrapToken: token(t)},
			want: []string{
				`warning: settings.kubernetes.bootstrap-token: bootstrap-token is set and authentication-mode is aws, ` +
					`which does not use it (set authentication-mode to tls, or leave bootstrap-token out)`,
			},
		},
		{
			name: "standalone in a cluster",
			settings: kubernetes.Settings{
				AuthenticationMode: &aws, StandaloneMode: new(true), APIServer: server, ClusterName: cluster, BootstrapToken: token(t),
			},
			want: []string{
				`settings.kubernetes.api-server: api-server is "https://api.example.org/" and standalone-mode is true: the kubelet joins no cluster, ` +
					`and authentication-mode aws has no effect (set standalone-mode to false, or leave api-server out)`,
				`settings.kubernetes.cluster-name: cluster-name is "prod" and standalone-mode is true: the kubelet joins no cluster, ` +
					`and authentication-mode aws has no effect (set standalone-mode to false, or leave cluster-name out)`,
				`settings.kubernetes.bootstrap-token: bootstrap-token is set and standalone-mode is true: the kubelet joins no cluster, ` +
					`and authentication-mode aws has no effect (set standalone-mode to false, or leave bootstrap-token out)`,
			},
		},
		{name: "certificate and key", settings: kubernetes.Settings{ServerCertificate: base64(t, "Y2VydA=="), ServerKey: &key}},
		{name: "both taken back", settings: kubernetes.Settings{ServerCertificate: base64(t, ""), ServerKey: &none}},
		{
			name: "certificate alone", settings: kubernetes.Settings{ServerCertificate: base64(t, "Y2VydA=="), ServerKey: &none},
			want: []string{`settings.kubernetes.server-key: server-certificate is set and server-key is not (set both or neither)`},
		},
		{
			name: "key alone", settings: kubernetes.Settings{ServerKey: &key},
			want: []string{`settings.kubernetes.server-certificate: server-key is set and server-certificate is not (set both or neither)`},
		},
	})
}
