package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/leatdev/leat/internal/broker"
)

// Defaults of Config, which are Kafka's where Kafka has the setting.
const (
	DefaultMaxRequestBytes  = 100 << 20
	DefaultIdleTimeout      = 10 * time.Minute
	DefaultMaxInFlight      = 256
	DefaultMaxInFlightBytes = 32 << 20
	DefaultMemory           = 256 << 20
)

// Config says how to serve. Zero values mean the defaults.
type Config struct {
	// Listeners are the doors, at least one. The first is where a client that came
	// through none (a tool inside the process) would be sent.
	Listeners []*Listener
	// Broker carries out the requests.
	Broker *broker.Broker
	// Log gets one line per connection that had to be closed.
	Log *slog.Logger
	// MaxRequestBytes is socket.request.max.bytes: a longer frame closes its
	// connection before any memory is taken for it.
	MaxRequestBytes int
	// IdleTimeout is connections.max.idle.ms; negative is never. Less than ten
	// minutes breaks clients that produce seldom.
	IdleTimeout time.Duration
	// SendBuffer is socket.send.buffer.bytes, of TCP connections; 0 and less leave it
	// to the system. A small one keeps an answer near the processor: what waits in a
	// large one has left the caches when it is copied out.
	SendBuffer int
	// MaxInFlight and MaxInFlightBytes bound one connection's requests that are not
	// answered yet; at a bound its socket is not read. One request is always let
	// in, however large.
	MaxInFlight      int
	MaxInFlightBytes int64
	// Memory bounds the frames of all connections together. The default is the
	// broker's queued.max.request.bytes, and where that is -1 DefaultMemory, or a
	// quarter of the process's memory limit when that is less.
	Memory int64
}

// Server accepts connections and serves the Kafka protocol on them.
type Server struct {
	cfg      Config
	handlers map[int16]handler
	api      *api
	log      *slog.Logger
	memory   memory
	hard     context.Context // ends when connections are cut off
	kill     context.CancelFunc

	// buffers are for answers on their way out: idle connections hold none.
	buffers sync.Pool

	mu      sync.Mutex
	conns   map[*conn]struct{}
	held    map[net.Conn]*time.Timer // not served, and closed when it is time
	lastID  uint64
	stopped bool
	serving sync.WaitGroup // accept loops and connections
}

// NewServer returns a server that is not yet accepting.
func NewServer(cfg Config) (*Server, error) {
	if len(cfg.Listeners) == 0 {
		return nil, errors.New("wire: no listener; give at least one, such as PLAINTEXT on 127.0.0.1:9092")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.MaxRequestBytes = orDefault(cfg.MaxRequestBytes, DefaultMaxRequestBytes)
	cfg.IdleTimeout = orDefault(cfg.IdleTimeout, DefaultIdleTimeout)
	cfg.MaxInFlight = orDefault(cfg.MaxInFlight, DefaultMaxInFlight)
	cfg.MaxInFlightBytes = orDefault(cfg.MaxInFlightBytes, DefaultMaxInFlightBytes)
	if cfg.Memory == 0 && cfg.Broker != nil {
		cfg.Memory = max(cfg.Broker.Catalog.Snapshot().Int("queued.max.request.bytes"), 0)
	}
	// Of a small machine's memory (GOMEMLIMIT) no more than a quarter.
	cfg.Memory = orDefault(cfg.Memory, min(DefaultMemory, debug.SetMemoryLimit(-1)/4))
	s := &Server{cfg: cfg, log: cfg.Log, memory: memory{limit: cfg.Memory}, conns: map[*conn]struct{}{}, held: map[net.Conn]*time.Timer{}}
	s.hard, s.kill = context.WithCancel(context.Background())
	s.speak(handlers)
	return s, nil
}

// buffer returns an empty buffer to write into.
func (s *Server) buffer() []byte {
	if b, ok := s.buffers.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 4<<10)
}

// recycle takes a buffer back, if it is one to keep.
func (s *Server) recycle(b []byte) {
	if b != nil && cap(b) <= keepBuffer {
		s.buffers.Put(&b)
	}
}

// speak sets what the server serves.
func (s *Server) speak(handlers map[int16]handler) {
	s.handlers = handlers
	s.api = &api{broker: s.cfg.Broker, served: servedVersions(handlers), log: s.log}
	if b := s.cfg.Broker; b != nil {
		snap := b.Catalog.Snapshot()
		s.api.node = node{b.NodeID, b.ClusterID}
		s.api.fetchMaxBytes = int(snap.Int("fetch.max.bytes"))
		s.api.sessions.limit = int(snap.Int("max.incremental.fetch.session.cache.slots"))
	}
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// Start begins to accept on every listener, and returns.
func (s *Server) Start() {
	for _, l := range s.cfg.Listeners {
		s.serving.Go(func() { s.accept(l) })
	}
}

// accept takes connections until the listener is closed.
func (s *Server) accept(l *Listener) {
	const longest = time.Second
	var pause time.Duration
	for {
		nc, err := l.Net.Accept()
		if err == nil {
			pause = 0
			if t, ok := nc.(*net.TCPConn); ok && s.cfg.SendBuffer > 0 {
				_ = t.SetWriteBuffer(s.cfg.SendBuffer) // one that is closed already is found so by its first read
			}
			s.serve(nc, l)
			continue
		}
		if errors.Is(err, net.ErrClosed) || s.hard.Err() != nil {
			return
		}
		// Out of descriptors, most often: those who are connected go on, and some
		// of them will leave.
		pause = min(max(2*pause, 5*time.Millisecond), longest)
		s.log.Error("cannot accept a connection, trying again", "listener", l.Name, "in", pause, "err", err)
		select {
		case <-time.After(pause):
		case <-s.hard.Done():
			return
		}
	}
}

func (s *Server) serve(nc net.Conn, l *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		nc.Close()
		return
	}
	if s.holdOff(nc) {
		return
	}
	s.lastID++
	c := newConn(s, nc, l, s.lastID)
	if why := s.tooMany(c.peer.Host); why != "" {
		s.log.Warn("connection refused", "peer", c.peer.Addr, "listener", l.Name, "why", why)
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.serving.Go(func() {
		c.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
}

// tooMany says why there may be no further connection from a host, "" if there
// may. s.mu is held.
func (s *Server) tooMany(host string) string {
	if s.cfg.Broker == nil {
		return ""
	}
	snap := s.cfg.Broker.Catalog.Snapshot()
	if most := snap.Int("max.connections"); int64(len(s.conns)) >= most {
		return fmt.Sprintf("max.connections is %d", most)
	}
	most, have := snap.Int("max.connections.per.ip"), int64(0)
	if most > int64(len(s.conns)) {
		return ""
	}
	for c := range s.conns {
		if c.peer.Host == host {
			have++
		}
	}
	if have >= most {
		return fmt.Sprintf("max.connections.per.ip is %d", most)
	}
	return ""
}

// Connections is the number of connections that are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Stop closes the listeners, reads nothing more, and sends the answers of what
// was read; waits that would last (fetches, joins) end at once. What is not
// answered when ctx ends is cut off, and the error says how many connections
// that were. Stop may be called twice.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	for c := range s.conns {
		c.drain()
	}
	s.letGo()
	s.mu.Unlock()
	for _, l := range s.cfg.Listeners {
		l.Net.Close()
	}
	done := make(chan struct{})
	go func() { s.serving.Wait(); close(done) }()
	select {
	case <-done:
		s.kill()
		return nil
	case <-ctx.Done():
	}
	cut := s.cutOff()
	return fmt.Errorf("stop: %d connections still had requests under way and were cut off: %w", cut, ctx.Err())
}

// cutOff closes what is still open.
func (s *Server) cutOff() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	for c := range s.conns {
		c.q.cutOff()
		c.nc.Close()
	}
	return len(s.conns)
}
