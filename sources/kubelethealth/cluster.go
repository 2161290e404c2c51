package kubelethealth

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
)

const (
	serverSetting = "settings.kubernetes.api-server"
	caSetting     = "settings.kubernetes.cluster-certificate"
	tokenSetting  = "settings.kubernetes.bootstrap-token"
)

// skew is how far the clock of a node may be from that of the cluster.
const skew = 5 * time.Minute

// clusterFaults returns what is wrong between the node and its cluster.
func (n node) clusterFaults(ctx context.Context, a *access) []report.Fault {
	token, err := n.bearer(ctx, a)
	if err != nil {
		return []report.Fault{fault(refused, "settings.kubernetes.authentication-mode", err.Error(), "see that the node has a role, or settings.aws a key")}
	}
	head := http.Header{}
	if token != "" {
		head.Set("Authorization", "Bearer "+token)
	}
	path := "/version"
	if a.node != "" {
		path = "/api/v1/nodes/" + url.PathEscape(a.node) + "?resourceVersion=0" // what its cache has is new enough
	}
	status, body, err := get(ctx, a.client, a.server+path, head)
	if err != nil {
		return []report.Fault{n.unreached(ctx, a, err)}
	}
	if f := n.answered(a, token != "", status, body); f != nil {
		return []report.Fault{*f}
	}
	if f := n.clock(ctx, a); f != nil {
		return []report.Fault{*f}
	}
	if a.node == "" {
		return nil
	}
	pods := a.server + "/api/v1/pods?resourceVersion=0&fieldSelector=" + url.QueryEscape("spec.nodeName="+a.node+",status.phase=Pending")
	return append(conditionFaults(body), n.podFaults(ctx, a.client, pods, head)...)
}

// unreached says why a request got no answer.
func (n node) unreached(ctx context.Context, a *access, err error) report.Fault {
	if named, ok := errors.AsType[*url.Error](err); ok {
		err = named.Err // without the URL, which is in the setting
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fault(unknownName, serverSetting, fmt.Sprintf("the name of the API server is not known: %v", dns), "see settings.dns, or correct the name")
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fault(wrongAuthority, caSetting, "the API server shows a certificate of another authority", "set the certificate of the authority of this cluster")
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fault(wrongName, serverSetting, fmt.Sprintf("the API server shows a certificate for other names: %v", err), "name the server as its certificate does")
	}
	if c, ok := errors.AsType[x509.CertificateInvalidError](err); ok && c.Reason == x509.Expired {
		if f := n.clock(ctx, a); f != nil {
			return *f
		}
		return fault(serverExpired, serverSetting, fmt.Sprintf("the certificate of the API server is not valid now: %v", err), "renew it in the cluster")
	}
	if _, ok := errors.AsType[*net.OpError](err); ok && isRemote(err) {
		return fault(refused, "", fmt.Sprintf("the API server does not take the certificate of the node: %v", err), "let the node join again: see the guide on Kubernetes")
	}
	return fault(unreachable, serverSetting, fmt.Sprintf("the API server is not reached: %v", err), "see the network between them; the node goes on trying, and its pods run")
}

// isRemote reports whether the other side has refused what it was shown in TLS.
func isRemote(err error) bool {
	op, _ := errors.AsType[*net.OpError](err)
	return op.Op == "remote error"
}

// answered says what an answer means that is none about the node, or nil.
func (n node) answered(a *access, token bool, status int, body []byte) *report.Fault {
	var f report.Fault
	switch {
	case status == http.StatusUnauthorized && len(a.exec) > 0:
		f = fault(refused, "settings.kubernetes.authentication-mode", "the cluster does not know the role of the node", "give the role access to the cluster")
	case status == http.StatusUnauthorized && token:
		f = fault(badToken, tokenSetting, "the cluster does not take the token: it is wrong, or has expired", "make a new one in the cluster and set it")
	case status == http.StatusUnauthorized:
		f = fault(refused, "", "the cluster does not take the certificate of the node", "let the node join again: see the guide on Kubernetes")
	case status >= http.StatusInternalServerError || status == http.StatusTooManyRequests:
		f = fault(unreachable, serverSetting, fmt.Sprintf("the API server answers %d: %s", status, oneLine(body)), "it is asked again by itself")
	case a.node != "" && status == http.StatusNotFound:
		f = fault(notRegistered, "", fmt.Sprintf("the cluster has no node %s", a.node), "it registers by itself; apiclient logs kubelet.service says what keeps it")
	case a.node != "" && status != http.StatusOK:
		f = fault(refused, "", fmt.Sprintf("the API server answers %d to node %s: %s", status, a.node, oneLine(body)), "see what the cluster lets nodes do")
	case a.node == "" && len(a.exec) == 0 && !token:
		f = fault(badToken, tokenSetting, "the node has neither a certificate nor a token to ask for one", "set a token")
	case a.node == "" && len(a.exec) == 0:
		f = fault(waiting, "", "the cluster has not signed the certificate that the node asks for", "wait, or approve it: kubectl get certificatesigningrequests")
	default:
		return nil
	}
	return &f
}

// clock returns a fault if the clocks of the node and the cluster differ much, or
// nil. The time is no secret: whoever answers may tell it.
func (n node) clock(ctx context.Context, a *access) *report.Fault {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, a.server+"/version", nil)
	if err != nil {
		return nil
	}
	resp, err := insecure().Do(req)
	if err != nil {
		return nil
	}
	resp.Body.Close()
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return nil
	}
	ahead, word := n.now().Sub(theirs).Round(time.Minute), "ahead of"
	if ahead < 0 {
		ahead, word = -ahead, "behind"
	}
	if ahead <= skew {
		return nil
	}
	f := fault(wrongClock, "settings.ntp.time-servers", fmt.Sprintf("the clock of the node is %s %s that of the API server", ahead, word), "see that the node reaches its time servers")
	return &f
}

// conditions are those of a node that are faults while they are true.
var conditions = map[string]report.Code{
	"DiskPressure": diskPressure, "MemoryPressure": memoryPressure, "PIDPressure": pidPressure,
	"NetworkUnavailable": noNetwork,
}

// conditionFaults returns what the cluster says of the node in body.
func conditionFaults(body []byte) []report.Fault {
	var answer struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return []report.Fault{fault(unreachable, serverSetting, "the API server answers with something that is no node", "see that it is one")}
	}
	var all []report.Fault
	ready := false
	for _, c := range answer.Status.Conditions {
		switch code, known := conditions[c.Type]; {
		case c.Type == "Ready" && c.Status == "True":
			ready = true
		case c.Type == "Ready":
			all = append(all, fault(notReady, "", "the node is not ready: "+oneLine([]byte(c.Message)), "a network for pods is missing most of the time: see settings.kubernetes.pod-network"))
			ready = true // said
		case known && c.Status == "True":
			all = append(all, fault(code, "", oneLine([]byte(c.Message)), "pods are moved away until there is enough again"))
		}
	}
	if !ready {
		all = append(all, fault(notReady, "", "the kubelet has not said yet how the node is", ""))
	}
	return all
}
