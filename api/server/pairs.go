package server

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

const pairsMember = "request_payload"

// readPairs reads the body of PATCH /settings/keypair.
func (s *Server) readPairs(c *call) (schema.Input, error) {
	var in schema.Input
	if t := c.mediaType(); t != "application/json" {
		return in, unsupported(t, "application/json")
	}
	data, err := s.read(c)
	if err != nil {
		return in, err
	}
	pairs, err := parsePairs(data)
	if err != nil {
		return in, err
	}
	in = s.opt.Schema.ReadPairs(pairs)
	c.mention(in.Patch.Set.Keys())
	return in, in.Report.Err()
}

func parsePairs(data []byte) ([]string, error) {
	root, rep := syntax.JSON(data, syntax.DefaultLimits)
	if err := rep.Err(); err != nil {
		return nil, err
	}
	var list *syntax.Node
	if root.Kind == syntax.Table && len(root.Fields) == 1 {
		list = root.Field(pairsMember)
	}
	if list == nil || list.Kind != syntax.Array {
		return nil, pairsProblem("the body is not an object with the one member %q, a list", pairsMember)
	}
	pairs := make([]string, len(list.Items))
	for i, item := range list.Items {
		if item.Kind != syntax.String {
			return nil, pairsProblem("%s[%d] is %s", pairsMember, i, item.Describe())
		}
		pairs[i] = item.Text
	}
	return pairs, nil
}

func pairsProblem(format string, args ...any) error {
	return problem.New(problem.BadRequest, "%s", fmt.Sprintf(format, args...)).WithHint(`want {"%s": ["KEY=VALUE", …]}`, pairsMember)
}
