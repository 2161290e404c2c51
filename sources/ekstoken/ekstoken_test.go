package ekstoken

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
)

var (
	now = time.Date(2026, 11, 21, 10, 30, 15, 0, time.UTC)
	key = imds.Key{ID: "AKIDEXAMPLE", Secret: "secret/key", Token: "session"}
)

// The token is a request that AWS would take: what is signed is computed here as
// AWS does.
func TestMake(t *testing.T) {
	token, err := Make(t.Context(), key, "eu-west-1", "prod", now)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(token.Text, "k8s-aws-v1.")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil {
		t.Fatalf("Make: token %q: %v, want k8s-aws-v1. and base64", token.Text, err)
	}
	u, err := url.Parse(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	signature := q.Get("X-Amz-Signature")
	q.Del("X-Amz-Signature")
	want := url.Values{
		"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}, "X-Amz-Expires": {"60"}, "X-Amz-Algorithm": {"AWS4-HMAC-SHA256"},
		"X-Amz-Credential": {"AKIDEXAMPLE/20261121/eu-west-1/sts/aws4_request"}, "X-Amz-Date": {"20261121T103015Z"},
		"X-Amz-Security-Token": {"session"}, "X-Amz-SignedHeaders": {"host;x-k8s-aws-id"},
	}
	if diff := cmp.Diff(want, q); diff != "" {
		t.Errorf("query of the request (-want +got):\n%s", diff)
	}
	if u.Host != "sts.eu-west-1.amazonaws.com" || u.Path != "/" {
		t.Errorf("request to %s%s, want sts.eu-west-1.amazonaws.com/", u.Host, u.Path)
	}
	if want := sign(q.Encode(), u.Host, "prod"); signature != want {
		t.Errorf("signature %s, want %s", signature, want)
	}
	if other := sign(q.Encode(), u.Host, "test"); signature == other {
		t.Error("the signature is good for another cluster, too")
	}
	if want := now.Add(14 * time.Minute); !token.Expires.Equal(want) {
		t.Errorf("the token expires at %s, want %s", token.Expires, want)
	}
}

// sign computes the signature of a request with a query.
func sign(query, host, cluster string) string {
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	query = strings.ReplaceAll(query, "+", "%20")
	request := fmt.Sprintf("GET\n/\n%s\nhost:%s\nx-k8s-aws-id:%s\n\nhost;x-k8s-aws-id\n%s", query, host, cluster, emptyBody)
	sum := sha256.Sum256([]byte(request))
	text := "AWS4-HMAC-SHA256\n20261121T103015Z\n20261121/eu-west-1/sts/aws4_request\n" + hex.EncodeToString(sum[:])
	k := []byte("AWS4" + key.Secret)
	for _, part := range []string{"20261121", "eu-west-1", "sts", "aws4_request"} {
		k = mac(k, part)
	}
	return hex.EncodeToString(mac(k, text))
}

func TestHost(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1": "sts.eu-west-1.amazonaws.com", "us-gov-west-1": "sts.us-gov-west-1.amazonaws.com",
		"cn-north-1": "sts.cn-north-1.amazonaws.com.cn", "us-iso-east-1": "sts.us-iso-east-1.c2s.ic.gov", "us-isob-east-1": "sts.us-isob-east-1.sc2s.sgov.gov",
	} {
		if got := host(region); got != want {
			t.Errorf("host(%q) = %s, want %s", region, got, want)
		}
	}
}

func TestKeyOf(t *testing.T) {
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
			fmt.Fprint(w, "token")
		case "/latest/meta-data/iam/security-credentials/":
			fmt.Fprint(w, "node")
		case "/latest/meta-data/iam/security-credentials/node":
			fmt.Fprint(w, `{"Code": "Success", "AccessKeyId": "ROLE", "SecretAccessKey": "of the role", "Token": "t"}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer metadata.Close()
	helper := filepath.Join(t.TempDir(), "helper")
	script := "#!/bin/sh\necho '{\"Version\": 1, \"AccessKeyId\": \"FROM\", \"SecretAccessKey\": \"'$1'\"}'\n"
	if err := os.WriteFile(helper, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, config, credentials, profile string
		want                               imds.Key
		err                                string
	}{
		{name: "no files", profile: "default", want: imds.Key{ID: "ROLE", Secret: "of the role", Token: "t"}},
		{
			name: "a profile among others", profile: "edge", want: imds.Key{ID: "EDGE", Secret: "a=b", Token: "s"},
			credentials: "# keys\n[default]\naws_access_key_id = NO\naws_secret_access_key = no\n[edge]\nAWS_ACCESS_KEY_ID=EDGE\naws_secret_access_key = a=b\n aws_session_token = nested\naws_session_token = s\n",
		},
		{name: "a program", profile: "edge", config: "[profile edge]\ncredential_process = " + helper + " word\n", want: imds.Key{ID: "FROM", Secret: "word"}},
		{name: "the default in both files", profile: "default", config: "[default]\nregion = x\n", credentials: "[default]\naws_access_key_id = A\naws_secret_access_key = B\n", want: imds.Key{ID: "A", Secret: "B"}},
		{name: "a role of another", profile: "default", config: "[default]\nrole_arn = arn:aws:iam::1:role/x\n", err: "profile default has no key"},
		{name: "a program that fails", profile: "default", config: "[default]\ncredential_process = false\n", err: "exit status 1"},
		{name: "a program with another answer", profile: "default", config: "[default]\ncredential_process = echo secret\n", err: "echo gives no key in the form of AWS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"config": tt.config, "credentials": tt.credentials} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := keyOf(t.Context(), dir, tt.profile, imds.New(metadata.URL))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("keyOf(%q): %v, want an error with %q", tt.profile, err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("keyOf(%q) = %+v, %v, want %+v", tt.profile, got, err, tt.want)
			}
		})
	}
}

// What is printed is what client programs of Kubernetes read.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte("[default]\naws_access_key_id = A\naws_secret_access_key = B\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		cmd := Command()
		cmd.SetArgs(args)
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	text, err := run("--cluster", "prod", "--region", "eu-west-1", "--files", dir)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		APIVersion, Kind string
		Status           struct {
			ExpirationTimestamp time.Time
			Token               string
		}
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("output %s: %v", text, err)
	}
	if got.APIVersion != "client.authentication.k8s.io/v1" || got.Kind != "ExecCredential" || !strings.HasPrefix(got.Status.Token, prefix) || got.Status.ExpirationTimestamp.IsZero() {
		t.Errorf("output %s, want an ExecCredential of client.authentication.k8s.io/v1 with a token and its end", text)
	}
	for want, args := range map[string][]string{"name the cluster with --cluster": {}, "1 arguments, want none": {"--cluster", "a", "b"}} {
		if _, err := run(args...); err == nil || err.Error() != want {
			t.Errorf("eks-token %q: %v, want %s", args, err, want)
		}
	}
}
