package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkhead-os/bulkhead/api/contexts"
	"github.com/bulkhead-os/bulkhead/api/pki"
	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/disk"
	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/secureboot"
	"github.com/bulkhead-os/bulkhead/tools/vmnet"
)

// admin is the name in the certificate with which the nodes are reached.
const admin = "admin"

// pkiDir holds the authority of a cluster.
func pkiDir(c cluster.Cluster) string { return filepath.Join(c.Dir, "pki") }

// authority returns that of the cluster, which has issued the certificate of
// the admin.
func (j *job) authority() (*pki.Authority, error) {
	dir := pkiDir(j.cluster)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	a, err := pki.Open(dir, nil)
	if errors.Is(err, fs.ErrNotExist) {
		if a, err = pki.Create(dir, j.cluster.Name, false, nil); err == nil {
			j.say("made an authority for certificates in %s", dir)
		}
	}
	if err != nil {
		return nil, err
	}
	_, err = issue(a, pki.Request{Name: admin, Role: pki.Admin})
	return a, err
}

// issue returns the file with the certificate that is asked for, which is made
// unless it is there.
func issue(a *pki.Authority, r pki.Request) (string, error) {
	all, err := a.Issued()
	if err != nil {
		return "", err
	}
	for _, c := range all {
		if c.Name == r.Name {
			return c.File, nil
		}
	}
	c, err := a.Issue(r, false)
	return c.File, err
}

// identify returns what a node shows and whom it trusts.
func identify(a *pki.Authority, name string, host vmnet.Host) (identity, error) {
	file, err := issue(a, pki.Request{
		Name: name, Role: pki.Server,
		Addresses: []string{name, name + "." + vmnet.Domain, "localhost", "127.0.0.1", host.Addr.String()},
	})
	if err != nil {
		return identity{}, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return identity{}, err
	}
	id := identity{clientCA: a.Bundle()}
	if id.certificate, id.key, err = splitPEM(text); err != nil {
		return identity{}, fmt.Errorf("%s: %w", file, err)
	}
	return id, nil
}

// Files in the directory of a node.
const (
	diskFile     = "disk.raw"
	userDataFile = "user-data.toml" // what it got, or will get, at its first start
	imageFile    = "image"          // the kernel command line of what its disk was made from
	enrolledFile = "enrolled.fd"    // of a node with Secure Boot: variables of the firmware, with our keys
)

// prepareNode makes the disk and the user data of a node, unless it has them.
func (j *job) prepareNode(ctx context.Context, n *node, i int, a *pki.Authority, s settings) error {
	if err := os.MkdirAll(j.cluster.Path(n.name), 0o700); err != nil {
		return err
	}
	id, err := identify(a, n.name, vmnet.NewHost(i, n.name))
	if err != nil {
		return err
	}
	wanted, err := s.userData(n.name, id)
	if err != nil {
		return err
	}
	build, err := os.ReadFile(filepath.Join(j.opt.Image, image.CmdlineFile))
	if err != nil {
		return err
	}
	if isFile(j.cluster.Path(n.name, diskFile)) != nil {
		if err := j.makeNode(n, wanted, build); err != nil {
			return err
		}
	} else if wanted, err = j.keepNode(n, wanted, build); err != nil {
		return err
	}
	n.spec, err = j.spec(ctx, n, i, wanted)
	return err
}

// makeNode makes a node. Its disk is made last, and with it the node is there.
func (j *job) makeNode(n *node, userData, build []byte) error {
	if err := j.enrol(n); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(j.cluster.Path(n.name, userDataFile), userData, 0o600),
		os.WriteFile(j.cluster.Path(n.name, imageFile), build, 0o644),
		// A copy rather than a layer over the image, which the next build replaces.
		disk.Copy(j.cluster.Path(n.name, diskFile), filepath.Join(j.opt.Image, image.DiskFile), j.opt.DiskSize),
	)
}

// enrol makes the variables of a firmware that starts only what our keys signed,
// if that is wanted.
func (j *job) enrol(n *node) error {
	file := j.cluster.Path(n.name, enrolledFile)
	if !j.opt.SecureBoot {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err // of a call that did not come to its end
		}
		return nil
	}
	keys, err := secureboot.LoadOrCreate(j.root.Path("build", "keys"), time.Now())
	if err != nil {
		return err
	}
	fresh, err := j.emulator.FreshVariables()
	if err != nil {
		return err
	}
	enrolled, err := secureboot.Enrol(fresh, keys, time.Now())
	if err != nil {
		return err
	}
	return os.WriteFile(file, enrolled, 0o600)
}

// keepNode returns the user data of a node that is there, and tells what of the
// new it does not get.
func (j *job) keepNode(n *node, wanted, build []byte) ([]byte, error) {
	got, err := os.ReadFile(j.cluster.Path(n.name, userDataFile))
	if err != nil {
		return nil, err
	}
	if j.opt.UserData != "" && !bytes.Equal(got, wanted) {
		j.say("%s keeps the settings that it has: user data counts at the first start; for other settings: apiclient apply %s", n.name, j.opt.UserData)
	}
	if j.opt.SecureBoot && isFile(j.cluster.Path(n.name, enrolledFile)) != nil {
		return nil, errors.New("it was made without Secure Boot; make it anew: shipyard down --delete, and up again")
	}
	was, err := os.ReadFile(j.cluster.Path(n.name, imageFile))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(was, build) {
		j.say("%s keeps its disk, which is of an older build; for this one: shipyard down --delete, and up again", n.name)
	}
	return got, nil
}

// makeContexts tells apiclient how the nodes are reached. The first is the one
// that it talks to from here on.
func (j *job) makeContexts(nodes []*node) error {
	a, err := j.authority()
	if err != nil {
		return err
	}
	certificate, err := issue(a, pki.Request{Name: admin, Role: pki.Admin})
	if err != nil {
		return err
	}
	return contexts.Change(j.opt.Contexts, func(f *contexts.File) error {
		for _, n := range nodes {
			endpoint, ok := n.status.Forwarded(apiPort)
			if !ok {
				return fmt.Errorf("the API of %s is not forwarded", n.name)
			}
			f.Set(contexts.Context{Name: n.name, Endpoint: endpoint, CA: a.BundleFile(), Certificate: certificate})
		}
		f.Current = nodes[0].name
		return nil
	})
}

// forgetContexts takes out the contexts of a cluster that is deleted. Those of
// the same name that lead elsewhere are the user's own.
func forgetContexts(dir string, c cluster.Cluster) error {
	if isFile(contexts.Path(dir)) != nil {
		return nil
	}
	ours := filepath.Join(pkiDir(c), "")
	return contexts.Change(dir, func(f *contexts.File) error {
		for _, known := range append([]contexts.Context(nil), f.Contexts...) {
			if filepath.Dir(known.CA) == ours {
				if err := f.Remove(known.Name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
