//go:build ignore

// Command kubeletcheck decodes files as strictly as the kubelet does at the
// version that the module it is built in pins, and says what is wrong with them.
//
// It belongs to no module, so that tools does not depend on Kubernetes.
package main

import (
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	access "k8s.io/client-go/tools/clientcmd/api/v1"
	credentials "k8s.io/kubelet/config/v1"
	kubelet "k8s.io/kubelet/config/v1beta1"
)

func main() {
	decoder, err := decoder()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubeletcheck:", err)
		os.Exit(2)
	}
	status := 0
	for _, file := range os.Args[1:] {
		data, err := os.ReadFile(file)
		if err == nil {
			_, _, err = decoder.Decode(data, nil, nil)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			status = 1
		}
	}
	os.Exit(status)
}

// decoder knows the kinds of files that a kubelet is given.
func decoder() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kubelet.AddToScheme, credentials.AddToScheme, access.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer(), nil
}
