package server

import (
	"strings"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// The names of sections of the catalogue.
const (
	servicesSection = "services"
	filesSection    = "configuration-files"
)

// getServices answers GET /services.
func (s *Server) getServices(c *call) error { return s.sendSection(c, servicesSection) }

// getConfigurationFiles answers GET /configuration-files.
func (s *Server) getConfigurationFiles(c *call) error { return s.sendSection(c, filesSection) }

// section returns a section of the catalogue, which is nil where there is none.
func (s *Server) section(name string) section {
	switch c := s.catalogue(); {
	case c == nil:
		return nil
	case name == servicesSection:
		return c.services
	default:
		return c.files
	}
}

func (s *Server) sendSection(c *call, name string) error {
	names, byName, err := c.query.text("names")
	if err != nil {
		return err
	}
	prefix, byPrefix, err := c.query.text("prefix")
	if err != nil {
		return err
	}
	all := s.section(name)
	out := section{}
	switch {
	case byName:
		for n := range strings.SplitSeq(names, ",") {
			if all[n] == nil {
				return problem.New(problem.UnknownName, "the image has no %s.%s", name, shorten(n))
			}
			out[n] = all[n]
		}
	case byPrefix:
		if !strings.HasPrefix(prefix, name) {
			prefix = name + "." + prefix
		}
		out = all.under(name, prefix)
	case all != nil:
		out = all
	}
	return c.sendJSON(out)
}

// under returns what a prefix of the text of names selects of a section, whose
// own name is name.
func (all section) under(name, prefix string) section {
	out := section{}
	if !overlap(prefix, name+".") {
		return out
	}
	for entry, members := range all {
		start := name + "." + quoted(entry)
		for member, value := range members {
			text := start + "." + member
			if !strings.HasPrefix(text, prefix) && !strings.HasPrefix(name+".", prefix) {
				continue
			}
			if out[entry] == nil {
				out[entry] = map[string]any{}
			}
			out[entry][member] = value
		}
	}
	return out
}

// quoted returns a name as the text of keys has it.
func quoted(name string) string {
	if strings.Contains(name, ".") {
		return `"` + name + `"`
	}
	return name
}

// byKey answers a request about keys with what f says of each of them. What f
// says nothing of is left out.
func (s *Server) byKey(c *call, f func(*Catalogue, key.Key) (any, bool)) error {
	names, given, err := c.query.text("keys")
	if err != nil {
		return err
	}
	if !given {
		return badParameter("keys", "is missing").WithHint("want names of settings joined by commas")
	}
	keys, err := s.parseKeys(names)
	if err != nil {
		return err
	}
	out := map[string]any{}
	cat := s.catalogue()
	for i, text := range strings.Split(names, ",") {
		if cat == nil {
			break
		}
		if v, ok := f(cat, keys[i]); ok {
			out[text] = v
		}
	}
	return c.sendJSON(out)
}

// getAffectedServices answers GET /metadata/affected-services.
func (s *Server) getAffectedServices(c *call) error {
	return s.byKey(c, func(cat *Catalogue, k key.Key) (any, bool) {
		names := cat.affected(k)
		return names, len(names) > 0
	})
}

// getReaders answers GET /metadata/readers.
func (s *Server) getReaders(c *call) error {
	return s.byKey(c, func(cat *Catalogue, k key.Key) (any, bool) {
		r := cat.reach(k)
		return r, len(r.Files)+len(r.Programs) > 0
	})
}

// getGenerators answers GET /metadata/setting-generators. Programs that
// generate settings are not written down with the settings: they run as units.
func (s *Server) getGenerators(c *call) error { return c.sendJSON(struct{}{}) }

// getTemplates answers GET /metadata/templates. No setting is a template.
func (s *Server) getTemplates(c *call) error {
	return s.byKey(c, func(*Catalogue, key.Key) (any, bool) { return nil, false })
}
