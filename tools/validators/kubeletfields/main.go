//go:build ignore

// Command kubeletfields prints the fields that a configuration of the kubelet may
// have at the version that the module it is built in pins: a line for each, with
// its path and its kind.
//
// It belongs to no module, so that tools does not depend on Kubernetes.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelet "k8s.io/kubelet/config/v1beta1"
)

func main() {
	if len(os.Args) != 1 {
		fmt.Fprintln(os.Stderr, "kubeletfields: want no arguments")
		os.Exit(2)
	}
	fields(reflect.TypeFor[kubelet.KubeletConfiguration](), "")
}

// kinds are those of types that are written as plain values.
var kinds = map[reflect.Type]string{
	reflect.TypeFor[meta.Duration](): "duration", reflect.TypeFor[resource.Quantity](): "quantity", reflect.TypeFor[meta.Time](): "time",
}

// fields prints the fields of a struct at path.
func fields(t reflect.Type, path string) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && (f.Anonymous || strings.Contains(options, "inline")):
			fields(f.Type, path)
		default:
			field(f.Type, path+name)
		}
	}
}

// field prints what is at path, and what is in it.
func field(t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if kind, ok := kinds[t]; ok {
		fmt.Println(path, kind)
		return
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		fmt.Println(path, "any")
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		fmt.Println(path, "object")
		fields(t, path+".")
	case reflect.Map:
		fmt.Println(path, "map")
		field(t.Elem(), path+".*")
	case reflect.Slice:
		fmt.Println(path, "list")
		field(t.Elem(), path+"[]")
	case reflect.Bool:
		fmt.Println(path, "bool")
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint32:
		fmt.Println(path, "integer")
	case reflect.Float64:
		fmt.Println(path, "number")
	default:
		fmt.Println(path, "text")
	}
}
