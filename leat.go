// Package leat is the whole server inside a Go program or a test: a durable,
// Kafka-compatible broker, reached through an ordinary franz-go client without a
// socket.
//
//	srv, err := leat.Open(ctx, leat.Config{DataDir: "data"})
//	...
//	defer srv.Close(context.Background())
//	client, err := srv.Client(kgo.DefaultProduceTopic("events"))
//
// Everything above the log (workers, pipelines) takes such clients and works the
// same against Apache Kafka or Redpanda.
package leat

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/server"
)

// Config says what to open. The zero value is a broker in memory, for tests:
// nothing of it outlives the process.
type Config struct {
	// DataDir is the data directory, made when it is not there. One process at a
	// time may have it open. Empty = in memory.
	DataDir string
	// Listen is a host:port at which other processes reach the broker, such as
	// "127.0.0.1:9092"; port 0 takes a free one (see Addr). Empty = no socket.
	Listen string
	// Configs are broker configs under Kafka's own names, such as
	// "num.partitions". Unknown names are errors.
	Configs map[string]string
	// Relaxed leaves out every fsync: acks then do not survive a loss of power.
	// For tests of other things.
	Relaxed bool
	// Logger takes the server's log; nil = none.
	Logger *slog.Logger
}

// Server is an open broker. Its methods may be called from any goroutine.
type Server struct{ s *server.Server }

// Open opens the data directory, recovers what a crash has left, and serves.
// When it returns, clients can connect. The error says what is in the way: the
// directory is in use, the port is taken, a config is unknown, the data is
// damaged or of a newer format.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	s, err := server.Start(ctx, server.Config{
		DataDir: cfg.DataDir, Listen: cfg.Listen, Configs: cfg.Configs, Relaxed: cfg.Relaxed, Log: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	return &Server{s}, nil
}

// Addr returns the host:port of the listener, with its real port; "" without one.
func (s *Server) Addr() string { return s.s.Addr() }

// ClientOpts returns the options with which a kgo client reaches this server
// inside the process, without a socket.
func (s *Server) ClientOpts() []kgo.Opt { return s.s.ClientOpts() }

// Client returns a client of this server; the caller closes it before the server.
func (s *Server) Client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(s.ClientOpts(), opts...)...)
}

// Close takes no more requests, answers what is under way until ctx ends, and
// writes everything to where a restart finds it at once. It returns what could
// not be written. It is called once.
func (s *Server) Close(ctx context.Context) error { return s.s.Close(ctx) }
