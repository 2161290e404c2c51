// Command coredns is CoreDNS with the plugins that the names of a cluster take.
//
// Upstream's command brings those of the large clouds as well, and is twice the
// size.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/rewrite"
)

func main() {
	// In the order in which they see a question.
	err := dnsserver.SetDirectives([]string{
		"reload", "ready", "health", "prometheus", "errors", "log", "cache", "rewrite", "loadbalance", "hosts", "kubernetes", "loop", "forward",
	})
	if err != nil {
		panic(err)
	}
	coremain.Run()
}
