package kubeclient

import "context"

// A Node is what counts of a node.
type Node struct {
	Name    string
	Version string // of its kubelet
	Ready   bool
	Why     string // it is not
}

// Nodes returns all nodes of the cluster.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct {
				Conditions []struct{ Type, Status, Message string }
				NodeInfo   struct{ KubeletVersion string }
			}
		}
	}
	if err := c.Get(ctx, "/api/v1/nodes", &list); err != nil {
		return nil, err
	}
	var all []Node
	for _, item := range list.Items {
		n := Node{Name: item.Metadata.Name, Version: item.Status.NodeInfo.KubeletVersion, Why: "it has said nothing yet"}
		for _, condition := range item.Status.Conditions {
			if condition.Type == "Ready" {
				n.Ready, n.Why = condition.Status == "True", condition.Message
			}
		}
		all = append(all, n)
	}
	return all, nil
}
