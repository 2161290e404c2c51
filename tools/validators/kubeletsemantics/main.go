//go:build ignore

// Command kubeletsemantics reads configurations of the kubelet as it does at the
// version that the module it is built in pins, and says which values it would
// not start with.
//
// It belongs to no module, so that tools does not depend on Kubernetes. It is
// apart from kubeletcheck because a great part of the kubelet is built for it.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/apiserver/pkg/util/feature"
	_ "k8s.io/kubernetes/pkg/features" // registers the gates
	"k8s.io/kubernetes/pkg/kubelet/apis/config/scheme"
	"k8s.io/kubernetes/pkg/kubelet/apis/config/validation"
	"k8s.io/kubernetes/pkg/kubelet/kubeletconfig/util/codec"
)

func main() {
	status := 0
	for _, file := range os.Args[1:] {
		if err := check(file); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			status = 1
		}
	}
	os.Exit(status)
}

func check(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	_, codecs, err := scheme.NewSchemeAndCodecs()
	if err != nil {
		return err
	}
	c, err := codec.DecodeKubeletConfiguration(context.Background(), codecs, data)
	if err != nil {
		return err
	}
	c.FailCgroupV1 = false // is about this machine, and not about the file
	gates := feature.DefaultMutableFeatureGate.DeepCopy()
	if err := gates.SetFromMap(c.FeatureGates); err != nil {
		return err
	}
	return validation.ValidateKubeletConfiguration(c, gates)
}
