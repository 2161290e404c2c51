package awssettings

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"golang.org/x/net/http/httpproxy"

	"github.com/bulkhead-os/bulkhead/sources/internal/generator"
	"github.com/bulkhead-os/bulkhead/sources/platform"
	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
)

// answerTime is how long an API may take for one answer.
const answerTime = 20 * time.Second

// An api asks EKS and EC2, with the role of the instance. The three questions are
// asked in the protocol itself: the libraries of the two services would make the
// program many times as large.
type api struct {
	metadata *imds.Client
	endpoint func(service, region, domain string) string
	region   string
	http     *http.Client
}

// clientFor returns a client that goes through the proxy that is set.
func clientFor(s generator.Settings) *http.Client {
	config := httpproxy.Config{HTTPSProxy: s.Text("network.https-proxy"), NoProxy: strings.Join(s.Texts("network.no-proxy"), ",")}
	proxy := config.ProxyFunc()
	return &http.Client{
		Timeout:       answerTime,
		Transport:     &http.Transport{Proxy: func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// publicEndpoint returns where AWS has an API. In FIPS mode those are asked that
// keep to it as well.
func publicEndpoint(service, region, domain string) string {
	if mode, err := os.ReadFile("/proc/sys/crypto/fips_enabled"); err == nil && strings.TrimSpace(string(mode)) == "1" {
		service = map[string]string{"eks": "fips.eks", "ec2": "ec2-fips"}[service]
	}
	return "https://" + service + "." + region + "." + domain
}

// A cluster is what EKS knows of one.
type cluster struct {
	Endpoint  string `json:"endpoint"`
	Authority struct {
		Data string `json:"data"`
	} `json:"certificateAuthority"`
	Network struct {
		Family string `json:"ipFamily"`
		V4     string `json:"serviceIpv4Cidr"`
		V6     string `json:"serviceIpv6Cidr"`
	} `json:"kubernetesNetworkConfig"`
}

func (a *api) describe(ctx context.Context, name string) (cluster, error) {
	body, err := a.ask(ctx, "eks", http.MethodGet, "/clusters/"+url.PathEscape(name), nil)
	if err != nil {
		return cluster{}, fmt.Errorf("ask EKS for the cluster %s: %w", name, err)
	}
	var answer struct {
		Cluster cluster `json:"cluster"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return cluster{}, fmt.Errorf("answer of EKS: %w", err)
	}
	return answer.Cluster, nil
}

// privateName returns the name that DNS of the VPC has for the instance.
func (a *api) privateName(ctx context.Context, id string) (string, error) {
	var answer struct {
		Name string `xml:"reservationSet>item>instancesSet>item>privateDnsName"`
	}
	err := a.ec2(ctx, url.Values{"Action": {"DescribeInstances"}, "InstanceId.1": {id}}, &answer)
	if err == nil && answer.Name == "" {
		err = fmt.Errorf("EC2 has no name for the instance %s", id)
	}
	return answer.Name, err
}

// pods returns how many pods an instance of a type has addresses for: those of
// its interfaces but their own, and the two pods that use the node's.
func (a *api) pods(ctx context.Context, kind string) (string, error) {
	var answer struct {
		Interfaces int `xml:"instanceTypeSet>item>networkInfo>maximumNetworkInterfaces"`
		Addresses  int `xml:"instanceTypeSet>item>networkInfo>ipv4AddressesPerInterface"`
	}
	err := a.ec2(ctx, url.Values{"Action": {"DescribeInstanceTypes"}, "InstanceType.1": {kind}}, &answer)
	if err != nil {
		return "", err
	}
	if answer.Interfaces < 1 || answer.Addresses < 2 {
		return "", fmt.Errorf("EC2 does not tell how many addresses a %s has", kind)
	}
	return strconv.Itoa(answer.Interfaces*(answer.Addresses-1) + 2), nil
}

func (a *api) ec2(ctx context.Context, form url.Values, answer any) error {
	form.Set("Version", "2016-11-15")
	body, err := a.ask(ctx, "ec2", http.MethodPost, "/", []byte(form.Encode()))
	if err == nil {
		err = xml.Unmarshal(body, answer)
	}
	if err != nil {
		return fmt.Errorf("ask EC2 for %s: %w", form.Get("Action"), err)
	}
	return nil
}

// ask makes a signed request, again and again while the answer asks for that.
func (a *api) ask(ctx context.Context, service, method, path string, body []byte) ([]byte, error) {
	domain, err := a.metadata.Text(ctx, "services/domain")
	if err != nil && !errors.Is(err, imds.ErrAbsent) {
		return nil, err
	}
	at := a.endpoint(service, a.region, cmp.Or(domain, "amazonaws.com")) + path
	var out []byte
	err = platform.Retry(ctx, func(ctx context.Context) error {
		key, err := a.credentials(ctx)
		if err != nil {
			return err
		}
		out, err = a.once(ctx, key, service, method, at, body)
		return err
	})
	return out, err
}

func (a *api) once(ctx context.Context, key aws.Credentials, service, method, at string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	req.Header.Set("User-Agent", "bulkhead")
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, key, req, hex.EncodeToString(sum[:]), service, a.region, time.Now()); err != nil {
		return nil, err
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, &platform.Later{Err: err}
	}
	defer resp.Body.Close()
	text, err := platform.ReadAll(resp.Body)
	if err != nil {
		return nil, &platform.Later{Err: err}
	}
	if resp.StatusCode == http.StatusOK {
		return text, nil
	}
	err = fmt.Errorf("%s: %s", resp.Status, reason(text))
	if later := platform.Wait(resp, err); later != nil {
		return nil, later
	}
	if throttled(text) {
		return nil, &platform.Later{Err: err}
	}
	return nil, err
}

// throttled reports whether an answer refuses only for now. EC2 says so with the
// status of a refusal for good.
func throttled(text []byte) bool {
	for _, word := range []string{"RequestLimitExceeded", "Throttling", "TooManyRequests"} {
		if bytes.Contains(text, []byte(word)) {
			return true
		}
	}
	return false
}

// reason returns what an answer says, as one line that is not too long.
func reason(text []byte) string {
	const most = 300
	line := strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "?")), " ")
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}

// credentials returns those of the role of the instance.
func (a *api) credentials(ctx context.Context) (aws.Credentials, error) {
	key, err := a.metadata.Role(ctx)
	return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret, SessionToken: key.Token, Source: "instance"}, err
}
