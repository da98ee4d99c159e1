// Package peers knows the brokers that are measured: how each is found on this
// machine, started on an empty directory, and what its acks mean.
package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/leatdev/leat/bench/internal/proc"
)

// Protocol is what a peer speaks.
type Protocol string

// The protocols of the peers.
const (
	Kafka Protocol = "kafka"
	NATS  Protocol = "nats"
	AMQP  Protocol = "amqp"
)

// Peer is a broker that can be started on this machine.
type Peer struct {
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Protocol Protocol `json:"protocol"`
	// Durability says what an ack means, in a few words for a table.
	Durability string `json:"durability"`
	// Durable: an ack is on disk.
	Durable bool `json:"durable"`
	// Compiles while it runs: it is slow until what is hot is compiled.
	Compiles bool `json:"compiles"`

	// prepare makes an empty data directory that the broker can start on; what it
	// takes is not measured.
	prepare func(ctx context.Context, dir string, port int, paused bool) error
	// command is what starts it; it listens on loopback at the port.
	command func(dir string, port int) *exec.Cmd
	// ready asks once whether a broker at addr takes requests.
	ready func(ctx context.Context, addr string) error
	// inner is the name of the child process that is the broker, where command
	// starts a script that waits for it.
	inner string
	// after ends what the broker leaves behind when it has ended. Optional.
	after func(port int) error
}

// Running is a started peer.
type Running struct {
	Peer
	*proc.Process
	// Addr is where it listens, host:port. Dir is its data directory.
	Addr, Dir string
	// Began is when it was started last, Ready how long it took from then until it answered.
	Began time.Time
	Ready time.Duration
	port  int
}

// readyTimeout is how long a peer may take to answer after its start.
const readyTimeout = 2 * time.Minute

// Start starts the peer on an empty directory below work. If it will be paused, it
// must not take its own silence for its death.
func (p Peer) Start(ctx context.Context, work string, paused bool) (*Running, error) {
	dir, err := os.MkdirTemp(work, p.Name+"-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := p.prepare(ctx, dir, port, paused); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", p.Name, err)
	}
	r := &Running{Peer: p, Dir: dir, Addr: fmt.Sprintf("127.0.0.1:%d", port), port: port}
	return r, r.Again(ctx)
}

// Again starts a peer that has ended on its data, and waits until it is ready.
func (r *Running) Again(ctx context.Context) error {
	r.Began = time.Now()
	process, err := proc.Start(r.command(r.Dir, r.port), filepath.Join(r.Dir, "..", filepath.Base(r.Dir)+".log"))
	if err != nil {
		return fmt.Errorf("start %s: %w", r.Name, err)
	}
	r.Process = process
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		err := r.ready(ctx, r.Addr)
		if err == nil {
			r.Ready = time.Since(r.Began)
			if r.inner != "" {
				return r.Adopt(r.inner)
			}
			return nil
		}
		select {
		case <-tick.C:
		case <-r.Ended():
			return fmt.Errorf("%s: %w", r.Name, r.Alive())
		case <-ctx.Done():
			r.Kill()
			return fmt.Errorf("%s is not ready after %v: %w\n%s", r.Name, readyTimeout, err, r.Tail())
		}
	}
}

// Remove stops the peer and removes its data.
func (r *Running) Remove() error {
	err := r.Stop()
	if r.after != nil {
		err = errors.Join(err, r.after(r.port))
	}
	return errors.Join(err, os.RemoveAll(r.Dir))
}

// freePort returns a port whose two successors are free, too: Kafka's controller and
// RabbitMQ's nodes take them.
func freePort() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		free := 0
		for _, next := range []int{port + 1, port + 2} {
			if n, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", next)); err == nil {
				n.Close()
				free++
			}
		}
		l.Close()
		if free == 2 {
			return port, nil
		}
	}
	return 0, errors.New("no three free ports in a row")
}

func noPreparation(context.Context, string, int, bool) error { return nil }
