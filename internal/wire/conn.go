package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// writeAhead is how many bytes of answers that are ready go into one write.
const writeAhead = 64 << 10

// keepBuffer is the largest write buffer that is used again.
const keepBuffer = 16 << 20

// maxTrusted is how far a client's earlier frames are taken as a promise that it
// fills the next one, too.
const maxTrusted = 4 << 20

var (
	errDraining = errors.New("the server is stopping")
	errIdle     = errors.New("idle for connections.max.idle.ms")
	errStopped  = errors.New("the server's deadline for stopping has passed")
)

// conn is one connection: a reader and a writer.
type conn struct {
	srv  *Server
	nc   net.Conn
	in   *bufio.Reader
	peer *Peer
	q    *queue

	// ctx is what requests carry: it ends with the connection, and when the
	// server drains.
	ctx    context.Context
	cancel context.CancelCauseFunc

	trusted int // the largest frame that this client really sent

	mu       sync.Mutex
	draining bool
}

func newConn(s *Server, nc net.Conn, l *Listener, id uint64) *conn {
	c := &conn{srv: s, nc: nc, q: newQueue(s.cfg.MaxInFlight, s.cfg.MaxInFlightBytes)}
	c.in = bufio.NewReaderSize(idleReader{c}, 4<<10)
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	addr := nc.RemoteAddr().String()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	c.peer = &Peer{ID: id, Listener: l, Host: host, Addr: addr}
	return c
}

// run serves the connection until it ends.
func (c *conn) run() {
	defer c.nc.Close()
	written := make(chan error, 1)
	go func() { written <- c.write() }()
	readErr := c.read()
	c.q.close()
	c.cancel(readErr) // nobody waits any more for what is parked
	writeErr := <-written
	c.srv.memory.hold(-c.q.rest())
	if writeErr != nil {
		readErr = writeErr // it made the reader stop
	}
	c.logEnd(readErr)
}

// drain stops reading. What was read is still answered.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	c.q.close()
	c.cancel(errDraining)
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

// read takes one request after the other and returns why it stopped.
func (c *conn) read() error {
	for {
		frame, err := c.nextFrame()
		if err != nil {
			return err
		}
		h, rest := parseHead(frame)
		var reply Reply
		if panicked := guard(func() { reply, err = c.dispatch(&h, rest) }); panicked != nil {
			err = panicked
		}
		if err != nil {
			c.srv.memory.hold(-int64(len(frame)))
			return &requestError{h, err}
		}
		c.q.put(slot{header: h, frame: int64(len(frame)), reply: reply.p})
	}
}

// nextFrame waits for room, then for a frame.
func (c *conn) nextFrame() ([]byte, error) {
	if !c.q.waitForRoom() {
		return nil, errDraining
	}
	n, err := readLength(c.in, c.srv.cfg.MaxRequestBytes)
	if err != nil {
		return nil, err
	}
	if err := c.srv.memory.start(c.ctx); err != nil {
		return nil, err
	}
	frame, err := readFrame(c.in, n, c.trusted, &c.srv.memory)
	if err != nil {
		return nil, err
	}
	c.trusted = max(c.trusted, min(n, maxTrusted))
	return frame, nil
}

// idleReader reads from the socket and gives up when nothing came for the idle
// time and nothing is under way.
type idleReader struct{ c *conn }

func (r idleReader) Read(b []byte) (int, error) {
	c := r.c
	since := time.Now()
	for {
		if !c.arm() {
			return 0, errDraining
		}
		n, err := c.nc.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		busy, idle := c.q.busySince()
		if idle.After(since) {
			since = idle
		}
		if idle := c.srv.cfg.IdleTimeout; !busy && idle > 0 && time.Since(since) >= idle {
			return 0, errIdle
		}
	}
}

// arm sets the next read's deadline; false when the connection drains.
func (c *conn) arm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return false
	}
	c.nc.SetReadDeadline(c.idleDeadline())
	return true
}

// idleDeadline is when the connection will have been idle too long; zero for
// never.
func (c *conn) idleDeadline() time.Time {
	if c.srv.cfg.IdleTimeout < 0 {
		return time.Time{}
	}
	return time.Now().Add(c.srv.cfg.IdleTimeout)
}

// dispatch decodes a request and calls its handler. An error ends the
// connection.
func (c *conn) dispatch(h *header, rest []byte) (Reply, error) {
	handle, reply, err := c.srv.gate(h)
	if handle == nil {
		return reply, err
	}
	req, err := decode(h, rest)
	if err != nil {
		return Reply{}, err
	}
	if old := tooOld(req); old.p != nil {
		return old, nil
	}
	r := &Request{
		Key: h.key, Version: h.version, CorrelationID: h.correlationID, ClientID: h.clientID,
		Principal: Anonymous, Peer: c.peer, Received: time.Now(), Ctx: c.ctx,
	}
	return handle(c.srv.api, r, req), nil
}

// write sends the answers in the order of the requests and returns why it
// stopped early; nil when everything was sent.
func (c *conn) write() error {
	var out outgoing
	defer func() {
		c.srv.recycle(out.buf)
		out.reset()
	}()
	for {
		s, ok, err := c.q.first()
		if !ok {
			return nil
		}
		if err == nil {
			err = s.reply.fail
		}
		if err == nil && s.reply.resp != nil {
			if out.buf == nil {
				out.buf = c.srv.buffer()
			}
			var failed error
			if err = guard(func() { failed = out.add(s.correlationID, s.reply.resp) }); err == nil {
				err = failed
			}
		}
		if err != nil {
			// What was answered before still goes out.
			c.send(&out)
			return c.giveUp(&requestError{s.header, err})
		}
		held, more := c.q.pop()
		c.srv.memory.hold(-held)
		if !more || out.size() >= writeAhead {
			if err := c.send(&out); err != nil {
				return c.giveUp(err)
			}
		}
	}
}

// send writes what is ready and gives the buffer back.
func (c *conn) send(out *outgoing) error {
	if out.size() == 0 {
		return nil
	}
	err := out.sendTo(c.nc, c.idleDeadline)
	c.srv.recycle(out.buf)
	out.reset()
	return err
}

// giveUp stops the reader as well, and returns err. The socket is closed when the
// reason has been logged.
func (c *conn) giveUp(err error) error {
	c.q.breakOff()
	c.drain()
	return err
}

// requestError is an error with the request that it came from.
type requestError struct {
	header
	err error
}

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

// logEnd logs why the connection ended, loudly when somebody should look.
func (c *conn) logEnd(err error) {
	name, version := c.peer.Software()
	about := []any{"peer", c.peer.Addr, "listener", c.peer.Listener.Name, "software", name + "/" + version, "err", err}
	var bad *requestError
	if errors.As(err, &bad) {
		about = append(about, "api", kmsg.NameForKey(bad.key), "key", bad.key, "version", bad.version, "client", bad.clientID)
	}
	var p *panicError
	switch {
	case errors.As(err, &p):
		c.srv.log.Error("connection closed: a handler panicked", append(about, "stack", string(p.stack))...)
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, errDraining), errors.Is(err, errStopped), errors.Is(err, errIdle), lost(err):
		c.srv.log.Debug("connection ended", about...)
	default:
		c.srv.log.Warn("connection closed", about...)
	}
}

// lost tells that the far side, or we, just went away.
func lost(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
