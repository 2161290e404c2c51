package provision

import (
	"context"
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/generator"
)

// newRunner returns a runner of the generators of the node.
func (o options) newRunner(r *run) func(context.Context) (*generator.Runner, error) {
	return func(ctx context.Context) (*generator.Runner, error) {
		return generator.New(ctx, r.api, o.root, generator.Local(), generator.Node{Root: o.root})
	}
}

// generate finds values for settings that nobody has set. A node comes up
// without them.
func (r *run) generate(ctx context.Context, stages ...generator.Stage) {
	if r.runner == nil {
		return
	}
	g, err := r.runner(ctx)
	if err != nil {
		r.ungenerated(err)
		return
	}
	var found []string
	for _, stage := range stages {
		outcomes, err := g.Run(ctx, stage)
		if err != nil {
			r.ungenerated(err)
			return
		}
		for _, o := range outcomes {
			if o.Changed {
				r.generated = true
				found = append(found, o.Generator.Name)
				r.log.Info("generator", "outcome", o.String())
			}
		}
		r.faults = append(r.faults, generator.Faults("bulkhead generate", outcomes)...)
	}
	if len(found) > 0 {
		r.say("found by generators: %s", strings.Join(found, ", "))
	}
}

func (r *run) ungenerated(err error) {
	r.fault(generator.CodeFailed, report.Warning, fmt.Sprintf("generators were not run: %v", err), "they are run again at the next boot")
}
