// Package gateway is the HTTP door: one file per resource, one route table
// (routes.go). It knows the house through what Config hands it, and nobody in
// the house knows it.
//
// What it serves today is for operators and has no passwords, so it listens on
// loopback unless it is told another host.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Check is one condition of being ready. Ready returns nil when it holds, else
// what is missing, in words for an operator; it must return when ctx ends and
// may be called from several goroutines at once.
type Check struct {
	// Name is the condition's key in the answer of /readyz.
	Name  string
	Ready func(ctx context.Context) error
}

// Config is what the door needs of the house.
type Config struct {
	// Addr is host:port to listen on; without a host (":8080") the
	// loopback address is used, and port 0 takes a free one.
	Addr string
	// Metrics is what /metrics tells. Required.
	Metrics prometheus.Gatherer
	// Checks are the conditions of /readyz; none means ready as soon as the door
	// is open.
	Checks []Check
	// Backup makes backups for POST /v1/backups; nil: they are refused.
	Backup BackupFunc
	// Log takes errors of the server itself. Required.
	Log *slog.Logger
}

// Gateway is an open HTTP door.
type Gateway struct {
	conf     Config
	listener net.Listener
	server   *http.Server
	served   chan struct{} // closed when the accept loop has ended
	err      error         // why it ended, read after served
}

// Open listens and serves until Close. The error says which address could not
// be had.
func Open(ctx context.Context, conf Config) (*Gateway, error) {
	if conf.Metrics == nil || conf.Log == nil {
		return nil, errors.New("gateway: Metrics and Log are required")
	}
	addr, err := loopbackDefault(conf.Addr)
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("HTTP address %s: %w", addr, err)
	}
	g := &Gateway{conf: conf, listener: l, served: make(chan struct{})}
	g.server = &http.Server{
		Handler: g.handler(),
		// A client that sends its header slowly, or nothing, holds one
		// connection no longer than this.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(conf.Log.Handler(), slog.LevelWarn),
	}
	go func() {
		defer close(g.served)
		if err := g.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			g.err = err
			conf.Log.Error("HTTP door closed by itself", "addr", g.Addr(), "err", err)
		}
	}()
	return g, nil
}

// loopbackDefault fills in the host of addr where it has none.
func loopbackDefault(addr string) (string, error) {
	if !strings.Contains(addr, ":") {
		return "", fmt.Errorf("HTTP address %q: want HOST:PORT or :PORT, for example :8080", addr)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("HTTP address %q: %w", addr, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// Addr is the address it listens on, with the real port.
func (g *Gateway) Addr() string { return g.listener.Addr().String() }

// Close takes no new connections, lets requests in progress finish until ctx
// ends, then cuts them off. It may be called more than once.
func (g *Gateway) Close(ctx context.Context) error {
	err := g.server.Shutdown(ctx)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = g.server.Close()
	}
	<-g.served
	return errors.Join(err, g.err)
}
