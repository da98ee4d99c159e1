package wire

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
)

// Listener is one door: where connections come in, and the address that clients
// are told to use when they came in here (Kafka's listeners and
// advertised.listeners).
type Listener struct {
	// Name is Kafka's listener name, such as PLAINTEXT.
	Name string
	// Net accepts the connections. The server closes it.
	Net net.Listener
	// AdvertisedHost and AdvertisedPort are what Metadata tells clients. Empty and
	// 0 mean the address that Net has.
	AdvertisedHost string
	AdvertisedPort int32
}

// Advertised is the address that clients of this listener are told.
func (l *Listener) Advertised() (host string, port int32) {
	host, port = l.AdvertisedHost, l.AdvertisedPort
	if host != "" && port != 0 {
		return host, port
	}
	h, p, err := net.SplitHostPort(l.Net.Addr().String())
	if err != nil {
		return host, port
	}
	if ip := net.ParseIP(h); host == "" && ip != nil && ip.IsUnspecified() {
		h = "localhost" // nobody can connect to 0.0.0.0; a server for others says what it is called
	}
	if host == "" {
		host = h
	}
	if n, err := strconv.ParseInt(p, 10, 32); err == nil && port == 0 {
		port = int32(n)
	}
	return host, port
}

// memoryAddr is the address of a Memory listener. It has the form host:port
// because Kafka's clients insist on one; nothing resolves it.
const memoryAddr = "leat.memory:9092"

// Memory is a listener without a socket: Dial connects to it from the same
// process. Its connections are net.Pipes, so it works inside testing/synctest.
type Memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewMemory returns a listener that is ready.
func NewMemory() *Memory {
	return &Memory{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial has the form of a kgo dialer; network and address are ignored, for there
// is one place to go. It fails once the listener is closed.
func (m *Memory) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.closed:
		return nil, fmt.Errorf("dial %s: the embedded broker is closed: %w", memoryAddr, net.ErrClosed)
	case <-ctx.Done():
		return nil, fmt.Errorf("dial %s: %w", memoryAddr, ctx.Err())
	}
}

// Seed is the address to give a client that uses Dial.
func (m *Memory) Seed() string { return memoryAddr }

// Accept implements net.Listener.
func (m *Memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Connections that are open stay open.
func (m *Memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// Addr implements net.Listener.
func (m *Memory) Addr() net.Addr { return memAddr{} }

type memAddr struct{}

func (memAddr) Network() string { return "memory" }
func (memAddr) String() string  { return memoryAddr }
