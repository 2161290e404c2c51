package boottest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/bulkhead-os/bulkhead/api/kubepki"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/controlplane"
	"github.com/bulkhead-os/bulkhead/tools/kubernetes"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/ociimage/recipe"
	"github.com/bulkhead-os/bulkhead/tools/testimage"
	"github.com/bulkhead-os/bulkhead/tools/vmnet"
)

// A kubeCluster is a control plane on this computer, with a registry for what its
// nodes run.
type kubeCluster struct {
	*controlplane.ControlPlane
	images *store
	token  kubepki.Token
	node   atomic.Pointer[boottest.Node] // the one that the API server reaches
}

// newKubeCluster starts a control plane that waits for a node.
func newKubeCluster(t *testing.T, lab *boottest.Lab) *kubeCluster {
	t.Helper()
	r, err := kubernetes.New(lab.Root, testimage.Kubernetes)
	must(t, err)
	must(t, r.Prepare(t.Context(), io.Discard))
	k := &kubeCluster{token: kubepki.NewToken(), images: &store{handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}}
	server := httptest.NewServer(k.images.handler)
	defer server.Close()
	for _, name := range recipe.Cluster(testimage.Kubernetes) {
		must(t, ociimage.Push(t.Context(), recipeImage(t, lab, name), strings.Replace(imageRef(t, name), "ghcr.io", strings.TrimPrefix(server.URL, "http://"), 1)))
	}
	k.ControlPlane, err = controlplane.Start(context.WithoutCancel(t.Context()), controlplane.Options{
		Release: r, Dir: t.TempDir(), Name: "boottest", Address: vmnet.Gateway().String(), Dial: k.dial, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	must(t, err)
	t.Cleanup(func() {
		if err := k.Stop(); err != nil {
			t.Errorf("end the control plane: %v", err)
		}
	})
	must(t, k.AddToken(t.Context(), k.token, time.Now().Add(time.Hour)))
	must(t, k.AddNetwork(t.Context(), controlplane.Images{Network: imageRef(t, recipe.Network(testimage.Kubernetes)), DNS: imageRef(t, "coredns")}))
	return k
}

// recipeImages are those that this process has built: functions by name. One that
// is built again meanwhile would be taken away from whom reads it.
var recipeImages sync.Map

// recipeImage returns an image that comes with Bulkhead.
func recipeImage(t *testing.T, lab *boottest.Lab, name string) v1.Image {
	t.Helper()
	build, _ := recipeImages.LoadOrStore(name, sync.OnceValues(func() (v1.Image, error) {
		dir := lab.Root.Path(recipe.Dir)
		_, err := recipe.Build(context.Background(), lab.Root, name, recipe.Options{Out: dir, Version: recipe.Version}, io.Discard)
		if err != nil {
			return nil, err
		}
		return ociimage.Open(filepath.Join(dir, name), "")
	}))
	image, err := build.(func() (v1.Image, error))()
	must(t, err)
	return image
}

func imageRef(t *testing.T, name string) string {
	t.Helper()
	ref, err := recipe.Ref(name)
	must(t, err)
	return ref
}

func (k *kubeCluster) dial(ctx context.Context, address string) (net.Conn, error) {
	if n := k.node.Load(); n != nil {
		return n.Dial(ctx, address)
	}
	return nil, errors.New("there is no node")
}

// options boot a node that joins.
func (k *kubeCluster) options() boottest.Options {
	return boottest.Options{
		Memory: 1536, Services: map[string]func(net.Listener) error{storeAddress: k.images.serve},
		UserData: "[settings.network]\nhostname = \"node\"\n\n" + k.Join(k.token).Settings() + "\n[[settings.container-registry.mirrors]]\nregistry = \"ghcr.io\"\nendpoint = [\"http://" + storeAddress + "\"]\n",
	}
}

// clusterPatience is how long a node may take to fetch images and start pods.
const clusterPatience = 3 * boottest.Patience

// await asks until the answer is good. Its error tells what is missing.
func (k *kubeCluster) await(t *testing.T, what string, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clusterPatience)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-k.Ended():
			t.Fatalf("wait for %s: the control plane has ended: %v", what, k.Stop())
		case <-ctx.Done():
			t.Fatalf("wait for %s: %v\n%s", what, err, k.events())
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// events returns what the cluster has to say.
func (k *kubeCluster) events() string {
	var list struct {
		Items []struct {
			InvolvedObject  struct{ Kind, Name string }
			Reason, Message string
		}
	}
	if err := k.Client.Get(context.Background(), "/api/v1/events", &list); err != nil {
		return err.Error()
	}
	var lines []string
	for _, e := range list.Items {
		lines = append(lines, fmt.Sprintf("%s %s: %s: %s", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message))
	}
	return strings.Join(lines, "\n")
}

// ready returns why a node is not ready.
func (k *kubeCluster) ready(ctx context.Context, name string) error {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := k.Client.Get(ctx, "/api/v1/nodes/"+name, &node); err != nil {
		return err
	}
	for _, c := range node.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return nil
		}
	}
	return fmt.Errorf("its conditions are %+v", node.Status.Conditions)
}

// pods returns the names of the running pods with a label.
func (k *kubeCluster) pods(ctx context.Context, namespace, label string) ([]string, error) {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct{ Phase string }
		}
	}
	err := k.Client.Get(ctx, "/api/v1/namespaces/"+namespace+"/pods?labelSelector="+label, &list)
	var names []string
	for _, p := range list.Items {
		if p.Status.Phase == "Running" {
			names = append(names, p.Metadata.Name)
		}
	}
	slices.Sort(names)
	return names, err
}

const helloManifest = `apiVersion: apps/v1
kind: Deployment
metadata: {name: hello, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      containers:
        - name: hello
          image: %s
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: hello, namespace: default}
spec:
  selector: {app: hello}
  ports: [{port: 80, targetPort: 8080}]
`

// A node joins a cluster with a token and runs pods, which are found by the name
// of their service.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	lab := boottest.OpenKubernetes(t)
	k := newKubeCluster(t, lab)
	begun := time.Now()
	d := lab.NewDisk(t)
	d.Grow(8 << 30) // the kubelet keeps a gibibyte from pods
	n := d.Boot(k.options())
	k.node.Store(n)
	k.await(t, "the node", func(ctx context.Context) error { return k.ready(ctx, "node") })
	t.Logf("the node was ready %s after it was switched on", time.Since(begun).Round(time.Second))
	must(t, k.Client.Apply(t.Context(), fmt.Appendf(nil, helloManifest, imageRef(t, "hello"))))
	var pods []string
	k.await(t, "a deployment", func(ctx context.Context) (err error) {
		var d struct {
			Status struct{ AvailableReplicas int }
		}
		if err := k.Client.Get(ctx, "/apis/apps/v1/namespaces/default/deployments/hello", &d); err != nil {
			return err
		}
		if d.Status.AvailableReplicas != 2 {
			return fmt.Errorf("%d replicas are available, want 2", d.Status.AvailableReplicas)
		}
		pods, err = k.pods(ctx, "default", "app%3Dhello")
		return err
	})
	t.Logf("the deployment was there %s after the node was switched on", time.Since(begun).Round(time.Second))
	k.await(t, "logs", func(ctx context.Context) error {
		text, err := k.Client.Logs(ctx, "default", pods[0])
		if err == nil && !strings.Contains(text, "listening at :8080\n") {
			err = fmt.Errorf("the logs are %q, want that it listens", text)
		}
		return err
	})
	// By its name, through the service, from within.
	k.await(t, "an answer of the service", func(ctx context.Context) error {
		text, err := k.Client.Exec(ctx, "default", pods[0], "/usr/bin/hello", "get", "http://hello.default.svc."+controlplane.Domain+"/")
		if err == nil && !strings.HasPrefix(text, "hello from hello-") {
			err = fmt.Errorf("the answer is %q, want that of a pod", text)
		}
		return err
	})
	if _, err := k.Client.Exec(t.Context(), "default", pods[0], "/usr/bin/hello", "nonsense"); err == nil || !strings.Contains(err.Error(), "want no words, or get and a URL") {
		t.Errorf("a program in a pod that fails: %v, want what it says", err)
	}
	n.AwaitHealth("ok")
}
