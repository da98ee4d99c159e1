// Package server is the one place that knows everybody: it builds the broker and
// its doors in order, and stops them in reverse.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
	"github.com/leatdev/leat/internal/wire"
)

// Config says what to start. The zero value is a broker in memory without a socket.
type Config struct {
	// DataDir is the data directory; empty = in memory, gone with the process.
	DataDir string
	// FS is the file system that holds DataDir; nil = the real one.
	FS vfs.FS
	// Listen is a host:port for a PLAINTEXT listener; port 0 takes a free one;
	// empty = the config "listeners" if it is set, else no socket.
	Listen string
	// Advertise is the host:port that clients are told instead of Listen's; it
	// comes before the config "advertised.listeners".
	Advertise string
	// Configs are broker configs under Kafka's names.
	Configs map[string]string
	// Relaxed leaves out every fsync (durability: relaxed).
	Relaxed bool
	// Store tunes the log's store: for tests and benchmarks.
	Store plog.Options
	Log   *slog.Logger
}

// Server is a running broker with its doors.
type Server struct {
	broker *broker.Broker
	wire   *wire.Server
	memory *wire.Memory
	doors  []*wire.Listener // those with a socket
	log    *slog.Logger
}

// Start opens the data directory, recovers what a crash has left, and serves.
// When it returns, clients can connect.
func Start(_ context.Context, cfg Config) (_ *Server, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.FS == nil {
		cfg.FS = vfs.OS{}
	}
	if cfg.DataDir == "" {
		cfg.FS, cfg.DataDir = vfs.NewMem(), "/leat"
	}
	began := time.Now()
	s := &Server{log: cfg.Log, memory: wire.NewMemory()}
	// The doors first: a port that is taken is said before anything is touched.
	if s.doors, err = listeners(&cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			for _, d := range s.doors {
				d.Net.Close()
			}
		}
	}()
	cfg.Configs = withListeners(cfg.Configs, s.doors)
	nodeID, err := nodeID(cfg.Configs)
	if err != nil {
		return nil, err
	}
	if names := catalog.Inert(cfg.Configs); len(names) > 0 {
		cfg.Log.Info("configs that are accepted without effect", "names", strings.Join(names, " "))
	}
	s.broker, err = broker.Open(broker.Config{
		FS: cfg.FS, Dir: cfg.DataDir, NodeID: nodeID, Static: cfg.Configs, Relaxed: cfg.Relaxed, Store: cfg.Store, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	if cfg.Relaxed {
		cfg.Log.Warn("durability is relaxed: nothing is fsynced, an ack does not survive a loss of power")
	}
	snap := s.broker.Catalog.Snapshot()
	s.wire, err = wire.NewServer(wire.Config{
		Listeners:       append(s.doors[:len(s.doors):len(s.doors)], &wire.Listener{Name: "MEMORY", Net: s.memory, AdvertisedHost: memoryHost(s.memory), AdvertisedPort: memoryPort(s.memory)}),
		Broker:          s.broker,
		Log:             cfg.Log,
		MaxRequestBytes: int(snap.Int("socket.request.max.bytes")),
		IdleTimeout:     snap.Millis("connections.max.idle.ms"),
		SendBuffer:      int(snap.Int("socket.send.buffer.bytes")),
	})
	if err != nil {
		return nil, errors.Join(err, s.broker.Close())
	}
	s.wire.Start()
	r := s.broker.Recovery
	cfg.Log.Info("data directory is open", "dir", cfg.DataDir, "cluster", s.broker.ClusterID, "start", s.broker.Epoch,
		"clean", r.Clean, "recovered_batches", r.Batches, "torn_bytes", r.TornBytes, "fenced", len(r.Fenced))
	// The words that testcontainers' Kafka module waits for.
	cfg.Log.Info(fmt.Sprintf("[BrokerServer id=%d] Transitioning from RECOVERY to RUNNING", s.broker.NodeID),
		"listeners", strings.Join(s.Addrs(), ","), "took", time.Since(began).Round(time.Microsecond).String())
	return s, nil
}

func nodeID(configs map[string]string) (int32, error) {
	text, set := configs["node.id"]
	if !set {
		return 1, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("node.id=%q is not a number from 1 to 2147483647", text)
	}
	return int32(n), nil
}

func memoryHost(m *wire.Memory) string {
	host, _, _ := net.SplitHostPort(m.Seed())
	return host
}

func memoryPort(m *wire.Memory) int32 {
	_, port, _ := net.SplitHostPort(m.Seed())
	n, _ := strconv.Atoi(port)
	return int32(n)
}

// Addr returns the address of the first listener; empty without a socket.
func (s *Server) Addr() string {
	if addrs := s.Addrs(); len(addrs) > 0 {
		return addrs[0]
	}
	return ""
}

// Addrs returns the addresses of all listeners, with their real ports.
func (s *Server) Addrs() []string {
	var out []string
	for _, d := range s.doors {
		out = append(out, d.Net.Addr().String())
	}
	return out
}

// Advertised is the address that clients of the first listener are told; empty when
// nothing listens.
func (s *Server) Advertised() string {
	if len(s.doors) == 0 {
		return ""
	}
	host, port := s.doors[0].Advertised()
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// ClientOpts are the options with which a kgo client reaches this server inside
// the process, without a socket.
func (s *Server) ClientOpts() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(s.memory.Seed()), kgo.Dialer(s.memory.Dial)}
}

// Ready returns why the server does not take data; nil when it does.
func (s *Server) Ready(context.Context) error { return s.broker.Store.Err() }

// FencedPartitions returns how many partitions are neither read nor written because
// they are damaged, until somebody decides about them.
func (s *Server) FencedPartitions() int { return s.broker.FencedPartitions() }

// DamagedRanges returns how many ranges of segments were found damaged since the
// start: their offsets are refused, all others are served.
func (s *Server) DamagedRanges() int { return len(s.broker.Store.Damage()) }

// Throttled returns, by the name of the quota, how many waits clients were told for
// going beyond it since the start, and how long these were altogether.
func (s *Server) Throttled() (waits map[string]int64, times map[string]time.Duration) {
	return s.broker.Quotas.Throttled()
}

// RejectedConnections returns how many connections were closed since the start because
// their address had made more than its quota.
func (s *Server) RejectedConnections() int64 { return s.broker.Quotas.Rejected() }

// ScrubbedBytes returns how many bytes of segments were read back by rounds of the scrub
// that have ended.
func (s *Server) ScrubbedBytes() int64 { return s.broker.Scrubbed() }

// Backup makes a backup of the log, as it is at one moment, in a new directory. Clients
// are served meanwhile.
func (s *Server) Backup(ctx context.Context, to string) (*broker.Manifest, error) {
	return s.broker.Backup(ctx, to)
}

// ClusterID returns the id kept in the data directory.
func (s *Server) ClusterID() string { return s.broker.ClusterID }

// Close takes no more connections, answers what is under way until ctx ends,
// and moves everything into segments. No other call may follow.
func (s *Server) Close(ctx context.Context) error {
	err := s.wire.Stop(ctx)
	err = errors.Join(err, s.broker.Close())
	if err != nil {
		s.log.Error("stopped", "err", err)
		return err
	}
	s.log.Info("stopped")
	return nil
}

// Abandon ends the server as a crash would: nothing more is written, nobody is
// answered. For tests.
func (s *Server) Abandon() {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	s.wire.Stop(gone)
	s.broker.Abandon()
}
