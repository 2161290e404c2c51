package kubelethealth

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// imageReasons are those for which containers wait that are about their image.
var imageReasons = []string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"}

// maxPods bounds how many pods are faults of their own.
const maxPods = 10

// podFaults returns the pods at url whose images are not to be had. Who cannot be
// asked for them is a fault of something else.
func (n node) podFaults(ctx context.Context, c *http.Client, url string, head http.Header) []report.Fault {
	status, body, err := get(ctx, c, url, head)
	if err != nil || status != http.StatusOK {
		return nil
	}
	type container struct {
		Image string
		State struct {
			Waiting struct{ Reason, Message string }
		}
	}
	var pods struct {
		Items []struct {
			Metadata struct{ Name, Namespace string }
			Status   struct {
				ContainerStatuses, InitContainerStatuses []container
			}
		}
	}
	if err := json.Unmarshal(body, &pods); err != nil {
		return nil
	}
	var all []report.Fault
	for _, p := range pods.Items {
		for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if w := c.State.Waiting; slices.Contains(imageReasons, w.Reason) && len(all) < maxPods {
				detail := fmt.Sprintf("pod %s/%s waits for image %s: %s", p.Metadata.Namespace, p.Metadata.Name, c.Image, oneLine([]byte(w.Reason+": "+w.Message)))
				all = append(all, fault(noImage, "", detail, "it is tried again by itself; see settings.container-registry"))
				break
			}
		}
	}
	return all
}

// settled is how long the kubelet may take to start a pod of the settings.
const settled = 2 * time.Minute

// staticPodFaults returns the pods of the settings that the kubelet cannot run.
func (n node) staticPodFaults(runs bool) []report.Fault {
	files, err := fs.ReadDir(n.root.FS(), staticPods)
	if err != nil {
		return nil // they are switched off
	}
	var all []report.Fault
	for _, f := range files {
		setting := "settings.kubernetes.static-pods." + strings.TrimSuffix(f.Name(), ".yaml")
		pod, err := n.manifest(path.Join(staticPods, f.Name()))
		if err != nil {
			all = append(all, fault(badStaticPod, setting, err.Error(), "correct its manifest"))
			continue
		}
		info, err := f.Info()
		if err != nil || !runs || n.now().Sub(info.ModTime()) < settled {
			continue
		}
		if !n.started(pod) {
			all = append(all, fault(badStaticPod, setting, fmt.Sprintf("the kubelet does not start the pod %s", pod), "apiclient logs kubelet.service says why"))
		}
	}
	return all
}

// manifest returns the namespace and name of the pod in a file.
func (n node) manifest(file string) (string, error) {
	text, err := n.root.ReadFile(file)
	if err != nil {
		return "", err
	}
	var pod struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
		Metadata   struct {
			Name      string `yaml:"name"`
			Namespace string `yaml:"namespace"`
		} `yaml:"metadata"`
		Spec struct {
			Containers []struct {
				Name, Image string
			} `yaml:"containers"`
		} `yaml:"spec"`
	}
	if err := yaml.Unmarshal(text, &pod); err != nil {
		return "", fmt.Errorf("the manifest is no YAML of a pod: %s", oneLine([]byte(strings.TrimPrefix(err.Error(), "yaml: "))))
	}
	switch {
	case pod.APIVersion != "v1" || pod.Kind != "Pod":
		return "", fmt.Errorf("the manifest is of %q in version %q, want Pod in v1", pod.Kind, pod.APIVersion)
	case pod.Metadata.Name == "":
		return "", fmt.Errorf("the manifest has no metadata.name")
	case len(pod.Spec.Containers) == 0:
		return "", fmt.Errorf("the manifest has no spec.containers")
	}
	namespace := pod.Metadata.Namespace
	if namespace == "" {
		namespace = "default"
	}
	return namespace + "/" + pod.Metadata.Name, nil
}

// started reports whether there is a directory for logs of the pod. Its name is
// that of the manifest with the name of the node behind.
func (n node) started(pod string) bool {
	found, err := fs.Glob(n.root.FS(), path.Join(podLogs, strings.ReplaceAll(pod, "/", "_")+"-*"))
	return err != nil || len(found) > 0
}
