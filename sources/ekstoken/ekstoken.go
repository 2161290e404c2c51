// Package ekstoken proves to a cluster on EKS which role a node has.
//
// The proof is a request to the token service of AWS, signed and not sent: the
// cluster sends it, and so learns who signed it. The name of the cluster is part
// of what is signed, so that no cluster can use the proof with another.
package ekstoken

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
)

const (
	prefix        = "k8s-aws-v1."
	clusterHeader = "x-k8s-aws-id"
	// valid is how long the cluster takes the token for, from the time in it.
	valid = 15 * time.Minute
	// early is how long before that the kubelet asks for another one.
	early = time.Minute
	// emptyBody is the digest of a request without a body.
	emptyBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// A Token is shown to the API server.
type Token struct {
	Text    string
	Expires time.Time
}

// Make signs the token for the cluster with key.
func Make(ctx context.Context, key imds.Key, region, cluster string, now time.Time) (Token, error) {
	// The lifetime in the request itself bounds how late it may be sent for the
	// first time; the cluster asks for no more than a minute.
	url := fmt.Sprintf("https://%s/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", host(region))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Token{}, err
	}
	req.Header.Set(clusterHeader, cluster)
	credentials := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret, SessionToken: key.Token}
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, credentials, req, emptyBody, "sts", region, now)
	if err != nil {
		return Token{}, fmt.Errorf("sign the token for cluster %s: %w", cluster, err)
	}
	return Token{
		Text:    prefix + base64.RawURLEncoding.EncodeToString([]byte(signed)),
		Expires: now.Add(valid - early).UTC().Truncate(time.Second),
	}, nil
}

// host returns where the token service of a region is.
func host(region string) string {
	domain := "amazonaws.com"
	for start, other := range map[string]string{"cn-": "amazonaws.com.cn", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov"} {
		if strings.HasPrefix(region, start) {
			domain = other
		}
	}
	return "sts." + region + "." + domain
}

// MarshalJSON returns the token as client programs of Kubernetes take it from
// programs that they start.
func (t Token) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"spec":   map[string]any{"interactive": false},
		"status": map[string]any{"expirationTimestamp": t.Expires.Format(time.RFC3339), "token": t.Text},
	})
}
