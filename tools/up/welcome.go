package up

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/tools/controlplane"
	"github.com/bulkhead-os/bulkhead/tools/ociimage/recipe"
	"github.com/bulkhead-os/bulkhead/tools/run"
)

// welcome says where everything is and what one could try.
func (j *job) welcome(nodes []*node) {
	fmt.Fprintln(j.out)
	for _, n := range nodes {
		endpoint, _ := n.status.Forwarded(apiPort)
		fmt.Fprintf(j.out, "  %-10s API at %s, console in %s\n", n.name, endpoint, j.cluster.ConsoleLog(n.name))
	}
	if j.kube != nil {
		j.welcomeCluster()
		return
	}
	other := ""
	if len(nodes) > 1 {
		other = fmt.Sprintf("\n     apiclient --context %s get os             # another node", nodes[1].name)
	}
	fmt.Fprintf(j.out, `
Five things to try:

  export PATH=%s:"$PATH"

  1. Ask the node who it is and how it is
     apiclient get os
     apiclient health%s

  2. Change a setting, and see beforehand what a change would do
     apiclient set motd=hello
     apiclient set --dry-run ntp.time-servers='["time.example.org"]'

  3. Look back and go back
     apiclient history
     apiclient revert 1

  4. Follow what happens on the node
     apiclient logs -f
     apiclient events

  5. Restart it
     apiclient reboot --wait

It runs in the background: shipyard ps shows it, shipyard console %s its console,
shipyard down ends it, and shipyard down --delete also forgets it.
`, run.Quote(j.root.Path("build", "bin")), other, nodes[0].name)
}

// welcomeCluster says how to use a cluster of Kubernetes.
func (j *job) welcomeCluster() {
	which := ""
	if j.cluster.Name != DefaultCluster {
		which = "--cluster " + j.cluster.Name + " "
	}
	fmt.Fprintf(j.out, `  %-10s Kubernetes %s at https://127.0.0.1:%d

Four things to try:

  export PATH=%s:"$PATH"

  1. Look at the cluster
     shipyard kubectl %[5]sget nodes -o wide
     shipyard kubectl %[5]sget pods -A

  2. Run something in it
     shipyard kubectl %[5]screate deployment hello --image=%[6]s --replicas=2
     shipyard kubectl %[5]sexpose deployment hello --port=80 --target-port=8080

  3. Use a kubectl of your own
     export KUBECONFIG=%[7]s

  4. Look at a node
     apiclient health

It runs in the background: shipyard ps shows it, shipyard down ends it, and
shipyard down --delete also forgets it.
`, j.cluster.Name, j.kube.Minor, j.kube.Port, run.Quote(j.root.Path("build", "bin")), which, helloImage(), controlplane.KubeconfigFile(kubeDir(j.cluster)))
}

// helloImage is the name of the image to try a cluster with.
func helloImage() string {
	ref, _ := recipe.Ref("hello") // there is one
	return ref
}
