package controlplane

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/kubeclient"
)

// servingSigner signs the certificates that kubelets serve their API with. Their
// requests are approved by nothing that Kubernetes brings: who approves has to
// know the addresses of nodes.
const servingSigner = "kubernetes.io/kubelet-serving"

const requestsPath = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

// A signingRequest is what counts of one that asks for a certificate.
type signingRequest struct {
	Metadata struct{ Name string }
	Spec     struct {
		SignerName string
		Username   string
		Groups     []string
		Usages     []string
		Request    []byte
	}
	Status struct {
		Conditions []struct{ Type string }
	}
}

// approve approves what nodes may ask for, until ctx ends.
func (c *ControlPlane) approve(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	refused := map[string]bool{} // told already
	for {
		if err := c.approveAll(ctx, refused); err != nil && ctx.Err() == nil {
			c.opt.Log.Warn("approve certificates of nodes", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *ControlPlane) approveAll(ctx context.Context, refused map[string]bool) error {
	var list struct{ Items []signingRequest }
	if err := c.Client.Get(ctx, requestsPath+"?fieldSelector=spec.signerName%3D"+strings.ReplaceAll(servingSigner, "/", "%2F"), &list); err != nil {
		return err
	}
	for _, r := range list.Items {
		if r.Spec.SignerName != servingSigner || len(r.Status.Conditions) > 0 || refused[r.Metadata.Name] {
			continue
		}
		addresses, err := c.addresses(ctx, strings.TrimPrefix(r.Spec.Username, nodeUser))
		if err != nil {
			return err
		}
		if len(addresses) == 0 {
			continue // the node has not said yet
		}
		if err := r.check(addresses); err != nil {
			refused[r.Metadata.Name] = true
			c.opt.Log.Warn("certificate of a node is not approved", "request", r.Metadata.Name, "user", r.Spec.Username, "err", err)
			continue
		}
		if err := c.approveOne(ctx, r.Metadata.Name); err != nil {
			return err
		}
		c.opt.Log.Info("certificate of a node is approved", "request", r.Metadata.Name, "user", r.Spec.Username)
	}
	return nil
}

// addresses returns the names and addresses that a node has.
func (c *ControlPlane) addresses(ctx context.Context, node string) ([]string, error) {
	if node == "" || strings.ContainsAny(node, "/?#%") {
		return nil, nil
	}
	var about struct {
		Status struct{ Addresses []struct{ Address string } }
	}
	err := c.Client.Get(ctx, "/api/v1/nodes/"+node, &about)
	if kubeclient.IsNotFound(err) {
		return nil, nil
	}
	var all []string
	for _, a := range about.Status.Addresses {
		all = append(all, a.Address)
	}
	return all, err
}

const nodeUser = "system:node:"

// check returns why a node with the addresses may not have the certificate.
func (r signingRequest) check(addresses []string) error {
	if !strings.HasPrefix(r.Spec.Username, nodeUser) || !slices.Contains(r.Spec.Groups, "system:nodes") {
		return fmt.Errorf("user %q is no node", r.Spec.Username)
	}
	for _, u := range r.Spec.Usages {
		if !slices.Contains([]string{"digital signature", "key encipherment", "server auth"}, u) {
			return fmt.Errorf("use %q is not that of a server", u)
		}
	}
	block, _ := pem.Decode(r.Spec.Request)
	if block == nil {
		return errors.New("the request is no PEM")
	}
	asked, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = asked.CheckSignature()
	}
	if err != nil {
		return err
	}
	if s := asked.Subject; s.CommonName != r.Spec.Username || !slices.Equal(s.Organization, []string{"system:nodes"}) {
		return fmt.Errorf("the certificate would be for %s, and the request is from %s", s, r.Spec.Username)
	}
	if len(asked.EmailAddresses)+len(asked.URIs) > 0 {
		return errors.New("it is for more than names and addresses")
	}
	wanted := slices.Clone(asked.DNSNames)
	for _, ip := range asked.IPAddresses {
		wanted = append(wanted, ip.String())
	}
	if len(wanted) == 0 {
		return errors.New("it is for no name or address")
	}
	for _, w := range wanted {
		if !slices.Contains(addresses, w) {
			return fmt.Errorf("%s is not one of the node's %s", w, strings.Join(addresses, ", "))
		}
	}
	return nil
}

func (c *ControlPlane) approveOne(ctx context.Context, name string) error {
	var request map[string]any
	if err := c.Client.Get(ctx, requestsPath+"/"+name, &request); err != nil {
		return err
	}
	request["status"] = map[string]any{"conditions": []map[string]string{
		{"type": "Approved", "status": "True", "reason": "NodeAddresses", "message": "the names and addresses are those of the node"},
	}}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	_, err = c.Client.Do(ctx, kubeclient.Request{Method: http.MethodPut, Path: requestsPath + "/" + name + "/approval", Body: body})
	return err
}
