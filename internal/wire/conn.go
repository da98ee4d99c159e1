package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// writeAhead is how many bytes of answers that are ready go into one write.
const writeAhead = 64 << 10

// keepBuffer is the largest write buffer that is used again.
const keepBuffer = 16 << 20

// stall is how long a frame that has begun may stand still. What it holds, others
// may be waiting for.
const stall = 30 * time.Second

var (
	errDraining = errors.New("the server is stopping")
	errIdle     = errors.New("idle for connections.max.idle.ms")
	errStalled  = fmt.Errorf("nothing came for %v in the middle of a frame", stall)
	errStopped  = errors.New("the server's deadline for stopping has passed")
)

// conn is one connection: a reader and a writer.
type conn struct {
	srv  *Server
	nc   net.Conn
	raw  syscall.RawConn // of nc, where the log's bytes can be put onto it; else nil
	in   frameReader
	peer *Peer
	q    *queue

	// ctx is what requests carry: it ends with the connection, and when the
	// server drains.
	ctx    context.Context
	cancel context.CancelCauseFunc

	// The reader's own: where the bytes come from, whether the client has sent one
	// request at a time so far, when its deadline is set to, and whether it is within a
	// frame that holds memory.
	arrivals arrivals
	patient  bool
	deadline time.Time
	inFrame  bool
	produce  produceDecoder
	clientID string // of the newest request: nearly always that of the next one
	// The writer's own.
	writeBy time.Time

	mu       sync.Mutex
	draining bool
}

func newConn(s *Server, nc net.Conn, l *Listener, id uint64) *conn {
	c := &conn{srv: s, nc: nc, raw: rawSocket(nc), q: newQueue(s.cfg.MaxInFlight, s.cfg.MaxInFlightBytes)}
	c.arrivals.init(nc, c.raw)
	c.in = frameReader{in: bufio.NewReaderSize(idleReader{c}, 4<<10), mem: &s.memory, limit: s.cfg.MaxRequestBytes, begun: c.beginFrame, heard: c.q.waitForVoice}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	addr := nc.RemoteAddr().String()
	c.peer = &Peer{ID: id, Listener: l, Host: hostOf(addr), Addr: addr}
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
	for _, s := range c.q.rest() {
		c.srv.memory.release(s.share)
		s.drop()
	}
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
	c.q.letNoneIn()
	c.cancel(errDraining)
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

// read takes one request after the other and returns why it stopped.
func (c *conn) read() error {
	for {
		if !c.q.waitForRoom() {
			return errDraining
		}
		f, err := c.in.next(c.ctx)
		c.inFrame = false
		if err != nil {
			return err
		}
		h, rest := parseHead(f.data, c.clientID)
		c.clientID = h.clientID
		alone := flushes(h.key) && c.alone(&f)
		reply, after, err := c.dispatch(&h, rest, alone)
		s := slot{header: h, frame: int64(len(f.data)), share: f.share, reply: reply.p, due: after.due}
		if s.due != nil {
			s.due.size = len(f.data)
		}
		if f.passing || err != nil {
			c.in.done(&f)
			s.frame, s.share = 0, nil
		}
		if after.gathered {
			// Whoever waits for this answer waits for nothing else: to have the flusher
			// flush and the writer write would only take the time to wake them.
			c.srv.cfg.Broker.Store.Flush()
		}
		if alone {
			c.patient = c.arrivals.none()
		}
		if err != nil {
			return &requestError{h, err}
		}
		if c.q.idle() {
			sent, err := c.writeNow(&s)
			if err != nil {
				return c.giveUp(err)
			}
			if sent {
				continue
			}
		}
		c.q.put(s)
	}
}

// flushes reports whether requests of a key may be flushed by their reader.
func flushes(key int16) bool {
	return key == keyProduce || key == keyShareFetch || key == keyShareAcknowledge
}

// aloneBytes is up to which size a request is flushed by its reader. After a larger
// one there is more to be won by reading what follows it.
const aloneBytes = 64 << 10

// alone reports whether the client, as far as can be seen, sends nothing more until it
// has the answer to the request that was just read: nothing else of it is under way,
// nothing came along with it, and either it had to be waited for or nothing more had
// come when the one before it could be answered. Who has several requests in flight is
// found out by the second one.
func (c *conn) alone(f *frame) bool {
	patient := c.patient || c.arrivals.waited
	c.patient = false
	return patient && len(f.data) <= aloneBytes && c.in.in.Buffered() == f.inPlace && c.q.idle() && c.srv.cfg.Broker != nil
}

// beginFrame is called when a large frame begins.
func (c *conn) beginFrame() {
	c.inFrame = true
	if by := time.Now().Add(stall); c.deadline.IsZero() || c.deadline.After(by) {
		c.arm(by)
	}
}

// idleReader reads from the socket and gives up when nothing came for the idle
// time and nothing is under way, or when nothing comes within a frame.
type idleReader struct{ c *conn }

func (r idleReader) Read(b []byte) (int, error) {
	c := r.c
	since := time.Now()
	if c.deadline.IsZero() {
		c.arm(c.patience(since))
	}
	for {
		n, err := c.arrivals.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		// The deadline is not moved with every read, which would cost more than the
		// read: so it may be an old one.
		now := time.Now()
		if busy, idle := c.q.busySince(); busy && !c.inFrame {
			since = now
		} else if idle.After(since) && !c.inFrame {
			since = idle
		}
		by := c.patience(since)
		if !by.IsZero() && !now.Before(by) {
			if c.inFrame {
				return 0, errStalled
			}
			return 0, errIdle
		}
		if !c.arm(by) {
			return 0, errDraining
		}
	}
}

// patience is until when the reader waits for something to come, when nothing has
// come since the given time; zero for ever.
func (c *conn) patience(since time.Time) time.Time {
	switch {
	case c.inFrame:
		return since.Add(stall)
	case c.srv.cfg.IdleTimeout < 0:
		return time.Time{}
	}
	return since.Add(c.srv.cfg.IdleTimeout)
}

// arm sets the reader's deadline; false when the connection drains.
func (c *conn) arm(by time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return false
	}
	c.deadline = by
	c.nc.SetReadDeadline(by)
	return true
}

// aftermath is what is left to do when a handler has returned.
type aftermath struct {
	gathered bool // the log is to be flushed
	due      *due // the client is to be charged with the answer
}

// dispatch decodes a request and calls its handler. An error, as which a panic
// counts, ends the connection.
func (c *conn) dispatch(h *header, rest []byte, alone bool) (reply Reply, after aftermath, err error) {
	r := Request{
		Key: h.key, Version: h.version, CorrelationID: h.correlationID, ClientID: h.clientID,
		Principal: Anonymous, Peer: c.peer, Ctx: c.ctx, Alone: alone,
	}
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
		after.gathered = r.Gathered
	}()
	if b := c.srv.cfg.Broker; b != nil {
		if r.charge = b.Quotas.Of(r.Principal, r.ClientID); r.charge != nil {
			after.due = &due{charge: r.charge}
			defer after.due.worked(time.Now())
		}
	}
	handle, reply, err := c.srv.gate(h)
	if handle == nil {
		return reply, after, err
	}
	var req kmsg.Request
	if h.key == keyProduce {
		req, err = c.produce.decode(h, rest)
	} else {
		req, err = decode(h, rest)
	}
	if err != nil {
		return Reply{}, after, err
	}
	if old := tooOld(req); old.p != nil {
		return old, after, nil
	}
	r.Received = time.Now()
	return handle(c.srv.api, &r, req), after, nil
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
		if err == nil {
			c.settle(&s)
		}
		switch {
		case err != nil || s.reply.resp == nil:
		case s.rest != nil:
			out = *s.rest
		default:
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
		c.srv.memory.release(held)
		if !more || out.size() >= writeAhead {
			if err := c.send(&out); err != nil {
				return c.giveUp(err)
			}
		}
	}
}

// writeNow has the reader send an answer that is there already when no other comes
// before it, as far as the socket takes it at once: waking the writer costs more than
// most answers. What is left is the writer's, with the slot.
func (c *conn) writeNow(s *slot) (sent bool, err error) {
	if c.raw == nil || !s.reply.ready.Load() || s.reply.fail != nil || s.reply.resp == nil {
		return false, nil
	}
	c.settle(s)
	out := &outgoing{buf: c.srv.buffer()}
	var failed error
	if err := guard(func() { failed = out.add(s.correlationID, s.reply.resp) }); err != nil || failed != nil {
		return false, nil // the writer meets the same, and deals with it
	}
	c.armWrite()
	if err := out.sendRaw(c.raw, true); err != nil {
		out.reset()
		return false, &requestError{s.header, err}
	}
	if !out.done() {
		s.rest = out
		return false, nil
	}
	c.srv.recycle(out.buf)
	out.reset()
	c.srv.memory.release(s.share)
	return true, nil
}

// send writes what is ready and gives the buffer back.
func (c *conn) send(out *outgoing) error {
	if out.size() == 0 {
		return nil
	}
	err := out.sendTo(c.nc, c.raw, c.armWrite)
	c.srv.recycle(out.buf)
	out.reset()
	return err
}

// armWrite gives a write between half the idle time and the whole: the deadline
// is not set anew for each.
func (c *conn) armWrite() {
	idle := c.srv.cfg.IdleTimeout
	if idle < 0 {
		return
	}
	if now := time.Now(); c.writeBy.Sub(now) < idle/2 {
		c.writeBy = now.Add(idle)
		c.nc.SetWriteDeadline(c.writeBy)
	}
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
