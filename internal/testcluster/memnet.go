package testcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// memNet is a network in memory, so that a cluster and its clients can live in a
// synctest bubble, where time is the test's.
type memNet struct {
	mu        sync.Mutex
	next      int
	listeners map[string]*memListener
}

func (n *memNet) listen(_, _ string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	l := &memListener{addr: memAddr(fmt.Sprintf("127.0.0.1:%d", 20000+n.next)), conns: make(chan net.Conn), closed: make(chan struct{})}
	if n.listeners == nil {
		n.listeners = map[string]*memListener{}
	}
	n.listeners[string(l.addr)] = l
	return l, nil
}

func (n *memNet) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	n.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("connection refused: %s", addr)
	}
	client, server := net.Pipe()
	select {
	case l.conns <- memConn{server, l.addr}:
		return memConn{client, l.addr}, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type memAddr string

func (memAddr) Network() string  { return "tcp" }
func (a memAddr) String() string { return string(a) }

type memConn struct {
	net.Conn
	addr memAddr
}

func (c memConn) LocalAddr() net.Addr  { return c.addr }
func (c memConn) RemoteAddr() net.Addr { return c.addr }

type memListener struct {
	addr   memAddr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memListener) Addr() net.Addr { return l.addr }
