package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/vmnet"
)

// A supervisor owns the machines of a cluster that are on.
type supervisor struct {
	cluster  Cluster
	emulator vm.Emulator
	log      *slog.Logger
	net      *vmnet.Network
	end      context.CancelFunc // ends the supervisor

	mu       sync.Mutex // guards what follows, and what the machines say about themselves
	ending   bool
	machines map[string]*machine
	forwards map[string][]Forward // by machine; open as long as the network is

	watchers sync.WaitGroup // of machines that are on
}

// A Companion runs beside the machines of a cluster, whose network it is given. It
// ends when ctx does, which is when the machines have ended.
type Companion func(ctx context.Context, network *vmnet.Network) error

// Supervise is the supervisor of a cluster. It ends well when it is told to over
// the socket or ctx ends, and has ended its machines then, and what runs beside
// them.
func Supervise(ctx context.Context, c Cluster, e vm.Emulator, log *slog.Logger, beside ...Companion) (err error) {
	lock, err := c.hold(lockFile, atOnce)
	if err != nil {
		return err
	}
	defer lock.Close() // last of all
	if err := notePID(lock); err != nil {
		return err
	}
	network, err := vmnet.New(c.hosts())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	defer accompany(network, log, beside)()
	ctx, end := context.WithCancel(ctx)
	defer end()
	s := &supervisor{cluster: c, emulator: e, log: log, net: network, end: end, machines: map[string]*machine{}, forwards: map[string][]Forward{}}
	if err := s.forget(); err != nil {
		return err
	}
	l, err := c.listen()
	if err != nil {
		return err
	}
	log.Info("supervisor started", "cluster", c.Name, "pid", os.Getpid(), "accelerator", e.Accelerator())
	tellReady()
	err = s.serve(ctx, l)
	s.watchers.Wait()
	log.Info("supervisor ended", "cluster", c.Name)
	return err
}

// accompany starts what runs beside the machines, and returns what ends it.
func accompany(network *vmnet.Network, log *slog.Logger, beside []Companion) (end func()) {
	ctx, cancel := context.WithCancel(context.Background()) // not that of the machines, which end before
	var all sync.WaitGroup
	for _, run := range beside {
		all.Go(func() {
			if err := run(ctx, network); err != nil {
				log.Error("what runs beside the machines has ended", "err", err)
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// forget corrects what a supervisor left behind that died: no machine is on.
func (s *supervisor) forget() error {
	all, err := s.cluster.saved()
	if err != nil {
		return err
	}
	for _, st := range all {
		if st.State == Running {
			st.State, st.Why, st.PID = Off, lost, 0
			if err := s.cluster.save(st); err != nil {
				return err
			}
		}
		s.machines[st.Name] = &machine{status: st}
	}
	return nil
}

// listen makes the socket. One that is there was left behind: the lock is ours.
func (c Cluster) listen() (l net.Listener, err error) {
	err = c.atSocket(func(path string) error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		l, err = net.Listen("unix", path)
		if err == nil {
			l.(*net.UnixListener).SetUnlinkOnClose(false) // by then the path means nothing
		}
		return err
	})
	return l, err
}

// leaving is how long answers may take to go out at the end.
const leaving = 5 * time.Second

func (s *supervisor) serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// Requests that follow a console end with its machine.
	s.endMachines(Press)
	wait, cancel := context.WithTimeout(context.Background(), leaving)
	defer cancel()
	if err := server.Shutdown(wait); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return server.Close()
}

func (s *supervisor) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /machines", s.list)
	mux.HandleFunc("PUT /machines/{name}", s.put)
	mux.HandleFunc("POST /machines/{name}/stop", s.stop)
	mux.HandleFunc("GET /machines/{name}/console", s.console)
	mux.HandleFunc("POST /machines/{name}/input", s.input)
	mux.HandleFunc("POST /end", s.endAll)
	return mux
}

// answer sends value, or what went wrong as one line of text.
func answer(w http.ResponseWriter, value any, err error) {
	if err != nil {
		status := http.StatusInternalServerError
		if errors.Is(err, errOff) {
			status = http.StatusConflict
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // who asked has gone
}

func (s *supervisor) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	all := []Status{}
	for _, m := range s.machines {
		all = append(all, m.status)
	}
	s.mu.Unlock()
	s.cluster.sort(all)
	answer(w, all, nil)
}

func (s *supervisor) put(w http.ResponseWriter, r *http.Request) {
	var spec Spec
	if err := json.NewDecoder(r.Body).Decode(&spec); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	spec.Name = r.PathValue("name")
	st, err := s.start(spec)
	answer(w, st, err)
}

func (s *supervisor) stop(w http.ResponseWriter, r *http.Request) {
	m, err := s.running(r.PathValue("name"))
	if err == nil {
		err = s.endMachine(m, Way(r.FormValue("way")))
	}
	answer(w, struct{}{}, err)
}

func (s *supervisor) endAll(w http.ResponseWriter, r *http.Request) {
	s.endMachines(Way(r.FormValue("way")))
	answer(w, struct{}{}, nil)
	s.end()
}

// maxInput is how much may be typed at once.
const maxInput = 64 << 10

func (s *supervisor) input(w http.ResponseWriter, r *http.Request) {
	m, err := s.running(r.PathValue("name"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInput))
	if err == nil {
		err = m.vm.Type(text)
	}
	answer(w, struct{}{}, err)
}

// console sends what the machine wrote since it was switched on and then, if
// that is asked for, what it writes until it is off.
func (s *supervisor) console(w http.ResponseWriter, r *http.Request) {
	m, err := s.running(r.PathValue("name"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	f, err := os.Open(s.cluster.ConsoleLog(m.status.Name))
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer f.Close()
	out := http.NewResponseController(w)
	for {
		changed := m.vm.Console.Changed()
		if _, err := f.WriteTo(w); err != nil {
			return
		}
		if err := out.Flush(); err != nil || changed == nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// errOff says that a machine is not on.
var errOff = errors.New("it is off")

func (s *supervisor) running(name string) (*machine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.machines[name]
	if !ok {
		return nil, fmt.Errorf("machine %s: there is none", name)
	}
	if m.status.State != Running {
		return nil, fmt.Errorf("machine %s: %w: %s", name, errOff, m.status.Why)
	}
	return m, nil
}
