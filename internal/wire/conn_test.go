package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// lines is a log that tests can read.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// bench is a server in memory with handlers of the test's own.
type bench struct {
	t   *testing.T
	srv *Server
	mem *Memory
	log *lines
}

func newBench(t *testing.T, cfg Config, extra map[int16]handler) *bench {
	t.Helper()
	b := &bench{t: t, mem: NewMemory(), log: &lines{}}
	cfg.Listeners = []*Listener{{Name: "PLAINTEXT", Net: b.mem}}
	cfg.Log = slog.New(slog.NewTextHandler(b.log, nil))
	srv, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	table := map[int16]handler{keyApiVersions: on((*api).apiVersions)}
	for key, h := range extra {
		table[key] = h
	}
	srv.speak(table)
	if cfg.Broker == nil {
		srv.api.node = node{1, "the-cluster"}
	}
	b.srv = srv
	srv.Start()
	t.Cleanup(func() {
		if err := srv.Stop(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return b
}

// client is one connection, seen from the other side.
type client struct {
	t  *testing.T
	nc net.Conn
}

func (b *bench) dial() *client {
	b.t.Helper()
	nc, err := b.mem.Dial(b.t.Context(), "", "")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { nc.Close() })
	return &client{b.t, nc}
}

func (c *client) write(p []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(p); err != nil {
		c.t.Fatal("write:", err)
	}
}

func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// send writes a request with a correlation id.
func (c *client) send(corr int32, req kmsg.Request) {
	c.t.Helper()
	c.write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, corr))
}

// recv reads a frame: the correlation id and the rest.
func (c *client) recv() (int32, []byte) {
	c.t.Helper()
	var n [4]byte
	if _, err := io.ReadFull(c.nc, n[:]); err != nil {
		c.t.Fatal("read:", err)
	}
	body := make([]byte, binary.BigEndian.Uint32(n[:]))
	if _, err := io.ReadFull(c.nc, body); err != nil {
		c.t.Fatal("read:", err)
	}
	return int32(binary.BigEndian.Uint32(body)), body[4:]
}

func (c *client) mustBeClosed() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c.nc); err != nil || n != 0 {
		c.t.Errorf("connection is not just closed: %d bytes, %v", n, err)
	}
}

func (c *client) mustBeOpen() {
	c.t.Helper()
	c.send(99, apiVersionsRequest(0))
	if corr, _ := c.recv(); corr != 99 {
		c.t.Errorf("correlation id %d", corr)
	}
}

func apiVersionsRequest(version int16) *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version = version
	req.ClientSoftwareName, req.ClientSoftwareVersion = "tester", "1.0"
	return req
}

func heartbeat(group string) *kmsg.HeartbeatRequest {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version = 4
	req.Group = group
	return req
}

// heartbeats is a handler for key 12 that hands each request to fn.
func heartbeats(fn func(r *Request, req *kmsg.HeartbeatRequest) Reply) map[int16]handler {
	return map[int16]handler{12: on(func(_ *api, r *Request, req *kmsg.HeartbeatRequest) Reply { return fn(r, req) })}
}

// Answers keep the order of the requests; a parked one holds back answers, not
// requests.
func TestAnswersInOrder(t *testing.T) {
	t.Parallel()
	parked := make(chan *Pending, 3)
	b := newBench(t, Config{}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
		p, reply := later()
		parked <- p
		return reply
	}))
	c := b.dial()
	var all []*Pending
	for i := range int32(3) {
		c.send(i, heartbeat("g"))
		all = append(all, <-parked) // each reaches its handler while the ones before are parked
	}
	for i := 2; i >= 0; i-- {
		resp := kmsg.NewPtrHeartbeatResponse()
		resp.Version = 4
		all[i].Answer(resp)
	}
	for i := range int32(3) {
		if corr, _ := c.recv(); corr != i {
			t.Errorf("answer %d has correlation id %d", i, corr)
		}
	}
}

// Reference 4.2, gotcha 9: produce with acks=0 is not answered.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
		if req.Group == "later" {
			p, reply := later()
			go p.NoAnswer()
			return reply
		}
		return noAnswer()
	}))
	c := b.dial()
	c.send(1, heartbeat("now"))
	c.send(2, heartbeat("later"))
	c.mustBeOpen()
}

// What cannot be decoded closes its own connection, with the reason in the log,
// and nobody else's.
func TestBadInputClosesOneConnection(t *testing.T) {
	t.Parallel()
	never := func(r *Request, req *kmsg.HeartbeatRequest) Reply {
		panic("a bad request reached its handler")
	}
	b := newBench(t, Config{MaxRequestBytes: 1 << 20}, heartbeats(never))
	bystander := b.dial()
	for _, c := range []struct {
		name string
		send []byte
		want []string
	}{
		{"too long", []byte{0x7f, 0xff, 0xff, 0xff}, []string{"frame is too long: length 2147483647, socket.request.max.bytes is 1048576"}},
		{"negative", []byte{0xff, 0xff, 0xff, 0xff}, []string{"length -1"}},
		{"too short", []byte{0, 0, 0, 7}, []string{"frame is shorter than a request header"}},
		{"http", []byte("GET / HTTP/1.1\r\n\r\n"), []string{"frame is too long: length 1195725856", "this looks like HTTP"}},
		{"tls", []byte("\x16\x03\x01\x02\x00\x01\x00"), []string{"frame is too long", "this looks like TLS"}},
		{"unknown key", framed(head2(200, 0)), []string{"unknown API key 200", "key=200"}},
		{"key not served", framed(head2(7, 0)), []string{"unknown API key 7", "ControlledShutdown"}},
		{"unknown version", framed(head(12, 9)), []string{"unsupported version 9, want 0 to 4", "api=Heartbeat", "version=9", "client=c"}},
		{"negative version", framed(head2(12, -1)), []string{"unsupported version -1"}},
		{"header cut short", framed(head2(12, 4)), []string{"header: a field goes beyond the end of the frame"}},
		{"body missing", framed(head(12, 4)), []string{"malformed request: a field goes beyond the end of the frame", "client=c"}},
	} {
		conn := b.dial()
		go conn.nc.Write(c.send) // the server may close before it has taken all
		conn.mustBeClosed()
		for _, want := range c.want {
			if !strings.Contains(b.log.String(), want) {
				t.Errorf("%s: the log has no %q:\n%s", c.name, want, b.log)
			}
		}
		b.log.mu.Lock()
		b.log.buf.Reset()
		b.log.mu.Unlock()
	}
	bystander.mustBeOpen()
}

func head2(key, version int16) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	return append(b, 0, 0, 0, 7)
}

// A length that lies does not get memory; only bytes that arrive do.
func TestLyingLengthGetsNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, nil)
		c := b.dial()
		c.write([]byte{0x06, 0x40, 0, 0}) // 100 MiB
		c.write(make([]byte, 1000))
		synctest.Wait()
		if used := b.srv.memory.inUse(); used > int64(bufferSize(firstRead)) {
			t.Errorf("%d bytes are taken for 1000 that came", used)
		}
		c.nc.Close()
		synctest.Wait()
		if used := b.srv.memory.inUse(); used != 0 {
			t.Errorf("%d bytes are still taken after the connection", used)
		}
	})
}

func (m *memory) inUse() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// A frame that is as long as it says comes through whole.
func TestLargeFrame(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	b := newBench(t, Config{}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
		got <- *req.InstanceID
		return noAnswer()
	}))
	c := b.dial()
	req := heartbeat("g")
	long := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	req.InstanceID = &long
	for range 2 { // the second time the client is trusted
		c.send(1, req)
		if s := <-got; s != long {
			t.Fatalf("%d bytes came through of %d", len(s), len(long))
		}
	}
	c.mustBeOpen()
	if used := b.srv.memory.inUse(); used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
}

// unwritable is an answer that cannot be encoded.
type unwritable struct{ kmsg.Response }

func (unwritable) AppendTo([]byte) []byte { panic("oh no, encoding") }

func TestPanicClosesOneConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
		switch req.Group {
		case "background":
			return r.run(func() kmsg.Response { panic("oh no, " + req.Group) })
		case "encoding":
			return answer(unwritable{req.ResponseKind()})
		}
		panic("oh no, " + req.Group)
	}))
	bystander := b.dial()
	for _, how := range []string{"foreground", "background", "encoding"} {
		c := b.dial()
		c.send(1, heartbeat(how))
		c.mustBeClosed()
		for _, want := range []string{"oh no, " + how, "conn_test.go", "api=Heartbeat"} {
			if !strings.Contains(b.log.String(), want) {
				t.Errorf("%s: the log has no %q:\n%s", how, want, b.log)
			}
		}
	}
	bystander.mustBeOpen()
}

// A connection's requests under way are bounded, and so is its socket read.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked []*Pending
		b := newBench(t, Config{MaxInFlight: 2}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
			p, reply := later()
			parked = append(parked, p)
			return reply
		}))
		c := b.dial()
		go func() {
			for i := range int32(5) {
				c.nc.Write(kmsg.NewRequestFormatter().AppendRequest(nil, heartbeat("g"), i))
			}
		}()
		done := 0
		for done < 5 {
			synctest.Wait()
			if under := len(parked) - done; under > 2 {
				t.Fatalf("%d requests are under way", under)
			}
			resp := kmsg.NewPtrHeartbeatResponse()
			resp.Version = 4
			parked[done].Answer(resp)
			if corr, _ := c.recv(); corr != int32(done) {
				t.Fatalf("answer %d has correlation id %d", done, corr)
			}
			done++
		}
	})
}

// All frames together are bounded: at the limit nobody begins a new one, and it
// goes on when some are answered.
func TestMemoryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked []*Pending
		b := newBench(t, Config{Memory: 10}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
			p, reply := later()
			parked = append(parked, p)
			return reply
		}))
		one, two := b.dial(), b.dial()
		one.send(1, heartbeat("g"))
		synctest.Wait()
		go two.nc.Write(kmsg.NewRequestFormatter().AppendRequest(nil, heartbeat("g"), 2))
		synctest.Wait()
		if len(parked) != 1 {
			t.Fatalf("%d requests came through", len(parked))
		}
		resp := kmsg.NewPtrHeartbeatResponse()
		resp.Version = 4
		parked[0].Answer(resp)
		one.recv()
		synctest.Wait()
		if len(parked) != 2 {
			t.Fatal("the second one still waits")
		}
		parked[1].NoAnswer()
		synctest.Wait()
		if used := b.srv.memory.inUse(); used != 0 {
			t.Errorf("%d bytes are still taken", used)
		}
	})
}

// Gotcha 10: ten minutes without a request, and not a second less; and never
// while an answer is owed.
func TestIdleClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked *Pending
		b := newBench(t, Config{}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
			p, reply := later()
			parked = p
			return reply
		}))
		waiting, idle := b.dial(), b.dial()
		waiting.send(1, heartbeat("g"))
		time.Sleep(9*time.Minute + 59*time.Second)
		synctest.Wait()
		if n := b.srv.Connections(); n != 2 {
			t.Fatalf("%d connections after 9:59", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := b.srv.Connections(); n != 1 {
			t.Fatalf("%d connections after 10:01", n)
		}
		idle.mustBeClosed()
		time.Sleep(25 * time.Minute)
		resp := kmsg.NewPtrHeartbeatResponse()
		resp.Version = 4
		parked.Answer(resp)
		waiting.recv()
		waiting.mustBeOpen()
	})
}

// A stop reads nothing more, answers what was read, tells those who wait, and
// closes.
func TestGracefulStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
			p, reply := later()
			context.AfterFunc(r.Ctx, func() {
				resp := kmsg.NewPtrHeartbeatResponse()
				resp.Version = 4
				p.Answer(resp)
			})
			return reply
		}))
		waiting, idle := b.dial(), b.dial()
		waiting.send(1, heartbeat("g"))
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- b.srv.Stop(t.Context()) }()
		if corr, _ := waiting.recv(); corr != 1 {
			t.Errorf("correlation id %d", corr)
		}
		waiting.mustBeClosed()
		idle.mustBeClosed()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if _, err := b.mem.Dial(t.Context(), "", ""); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dial after stop: %v", err)
		}
	})
}

// At the deadline what is not answered is cut off, and counted.
func TestStopDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
			_, reply := later() // never
			return reply
		}))
		c := b.dial()
		c.send(1, heartbeat("g"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := b.srv.Stop(ctx)
		if err == nil || !strings.Contains(err.Error(), "1 connections still had requests under way") {
			t.Errorf("stop: %v", err)
		}
		c.mustBeClosed()
		synctest.Wait()
		if n := b.srv.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// A client that goes away ends what waits for it.
func TestGoneClientEndsItsWaits(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	b := newBench(t, Config{}, heartbeats(func(r *Request, req *kmsg.HeartbeatRequest) Reply {
		p, reply := later()
		context.AfterFunc(r.Ctx, func() {
			ended <- context.Cause(r.Ctx)
			p.NoAnswer()
		})
		return reply
	}))
	c := b.dial()
	c.send(1, heartbeat("g"))
	c.nc.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("cause is %v", err)
	}
}
