package kubernetes

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// checkIdentity compares how the kubelet joins a cluster with whether it does.
func (s *Settings) checkIdentity(p report.Place) {
	if isTrue(s.StandaloneMode) {
		s.checkStandalone(p)
		return
	}
	mode := s.AuthenticationMode
	switch {
	case mode == nil:
	case *mode == AuthenticationTLS && s.BootstrapToken == nil && s.APIServer != nil:
		p.Warn("bootstrap-token", nil,
			"authentication-mode is tls and bootstrap-token is unset: a node that has not joined yet cannot join",
			"set bootstrap-token, unless the node has joined before")
	case *mode == AuthenticationAWS && s.BootstrapToken != nil:
		p.Warn("bootstrap-token", nil, "bootstrap-token is set and authentication-mode is aws, which does not use it",
			"set authentication-mode to tls, or leave bootstrap-token out")
	}
}

// checkStandalone refuses what only a member of a cluster has. The mode of
// authentication itself has a default on each variant and says nothing.
func (s *Settings) checkStandalone(p report.Place) {
	conflict := func(member string, value any, shown string) {
		p.Conflict(member, value, fmt.Sprintf("%s is %s and standalone-mode is true: the kubelet joins no cluster%s",
			member, shown, s.modeNote()), "set standalone-mode to false, or leave "+member+" out")
	}
	if s.APIServer != nil {
		conflict("api-server", s.APIServer, quote(s.APIServer.String()))
	}
	if s.ClusterName != nil {
		conflict("cluster-name", s.ClusterName, quote(s.ClusterName.String()))
	}
	if s.BootstrapToken != nil {
		conflict("bootstrap-token", nil, "set")
	}
}

func (s *Settings) modeNote() string {
	if s.AuthenticationMode == nil {
		return ""
	}
	return fmt.Sprintf(", and authentication-mode %s has no effect", *s.AuthenticationMode)
}

// checkServing wants the certificate and the key of the kubelet's server
// together. An empty one counts as unset: it is how one is taken back where
// settings cannot be removed.
func (s *Settings) checkServing(p report.Place) {
	const certificate, key = "server-certificate", "server-key"
	hasCertificate := s.ServerCertificate != nil && s.ServerCertificate.String() != ""
	hasKey := s.ServerKey != nil && s.ServerKey.Reveal().String() != ""
	switch {
	case hasCertificate && !hasKey:
		p.Missing(key, certificate+" is set and "+key+" is not", "set both or neither")
	case hasKey && !hasCertificate:
		p.Missing(certificate, key+" is set and "+certificate+" is not", "set both or neither")
	}
}
