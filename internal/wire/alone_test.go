package wire

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/vfs"
)

// flushers is a broker behind a real socket that knows who has flushed: a connection's
// reader, or the log's flusher.
type flushers struct {
	*dataBench
	tcp  *Server
	addr string

	mu     sync.Mutex
	reader []bool // of each flush
}

func newFlushers(t *testing.T) *flushers {
	b := &dataBench{mem: vfs.NewMem()}
	b.disk = vfs.NewFaulty(b.mem)
	f := &flushers{dataBench: b}
	br, err := broker.Open(broker.Config{FS: b.disk, Dir: "/data"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(br.Abandon)
	b.broker, b.bench = br, newBench(t, Config{Broker: br}, handlers)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if f.tcp, err = NewServer(Config{Broker: br, Listeners: []*Listener{{Name: "PLAINTEXT", Net: ln}}}); err != nil {
		t.Fatal(err)
	}
	f.tcp.Start()
	t.Cleanup(func() { f.tcp.Stop(t.Context()) })
	f.addr = ln.Addr().String()
	f.topic("t", 2)
	f.put(b.dial(), "t", "the first file is in use")
	b.disk.Hook(func(op vfs.Op, name string) {
		if op != vfs.OpSync || !strings.HasSuffix(name, "/00000001.wal") {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reader = append(f.reader, bytes.Contains(debug.Stack(), []byte("wire.(*conn).read(")))
	})
	return f
}

func (f *flushers) dialTCP() *client {
	f.t.Helper()
	nc, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(time.Minute))
	return &client{f.t, nc}
}

// flushed are who has flushed since the last call.
func (f *flushers) flushed() []bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	is := f.reader
	f.reader = nil
	return is
}

// The request of a client that waits for each answer is flushed and answered by the
// goroutine that has read it, whatever its size and however many partitions it has.
func TestLoneProducerIsFlushedByItsReader(t *testing.T) {
	t.Parallel()
	f := newFlushers(t)
	c := f.dialTCP()
	// The flusher may still be on its way to bed after what came before.
	for by := f.flushed(); len(by) != 1 || !by[0]; by = f.flushed() {
		mustCode(t, "warm up", produced(c, produceTo("t", [16]byte{}, -1, f.batch("x")), 9).ErrorCode, nil)
	}
	before := end(c, "t")
	for i := range 20 {
		values := []string{fmt.Sprint(i), strings.Repeat("x", i<<10)}
		resp := ask[*kmsg.ProduceResponse](c, produceTo("t", [16]byte{}, -1, f.batch(values...), f.batch("y")), 9)
		for _, p := range resp.Topics[0].Partitions {
			mustCode(t, "produce", p.ErrorCode, nil)
		}
		if by := f.flushed(); len(by) != 1 || !by[0] {
			t.Errorf("request %d: flushed by its reader: %v, want once", i, by)
		}
	}
	if got := end(c, "t"); got != before+40 {
		t.Errorf("latest %d, want %d", got, before+40)
	}
	f.disk.Add(vfs.Rule{Op: vfs.OpSync, Name: "00000001.wal", Err: syscall.EIO})
	p := onePartition(t, ask[*kmsg.ProduceResponse](c, produceTo("t", [16]byte{}, -1, f.batch("lost")), 9))
	if p.ErrorCode != kerr.KafkaStorageError.Code || p.BaseOffset != -1 {
		t.Errorf("the sync has failed: %+v", p)
	}
}

// Of a client that has sent more already the next request is read while the flush runs,
// and a large one's flush is left to others, too.
func TestWhoIsNotAloneIsNotFlushedByItsReader(t *testing.T) {
	t.Parallel()
	f := newFlushers(t)
	c := f.dialTCP()
	format := kmsg.NewRequestFormatter(kmsg.FormatterClientID("test"))
	req := versioned(produceTo("t", [16]byte{}, -1, f.batch("x")))
	held := f.disk.Gate(vfs.OpSync, walFiles)
	c.write(append(format.AppendRequest(nil, req, 7), format.AppendRequest(nil, req, 7)...))
	<-held.Arrived()
	held.Open()
	for range 2 {
		mustCode(t, "together", onePartition(t, receive[*kmsg.ProduceResponse](c, req)).ErrorCode, nil)
	}
	if by := f.flushed(); len(by) == 0 || by[0] {
		t.Errorf("two at once: flushed by the reader: %v", by)
	}
	large := produceTo("t", [16]byte{}, -1, f.batch(strings.Repeat("x", aloneBytes)))
	mustCode(t, "large", produced(c, large, 9).ErrorCode, nil)
	if by := f.flushed(); len(by) != 1 || by[0] {
		t.Errorf("a large one: flushed by the reader: %v", by)
	}
}

// acks=1 does not wait for the sync, also when the client waits for nothing else.
func TestLoneProducerWithoutSyncDoesNotWaitForIt(t *testing.T) {
	t.Parallel()
	f := newFlushers(t)
	c := f.dialTCP()
	held := f.disk.Gate(vfs.OpSync, walFiles)
	defer held.Open()
	mustCode(t, "acks=1", produced(c, produceTo("t", [16]byte{}, 1, f.batch("x")), 9).ErrorCode, nil)
	<-held.Arrived()
}

// A stop ends the wait of a connection on which nothing comes, and does not take what is
// under way with it.
func TestStopBesideLoneProducers(t *testing.T) {
	t.Parallel()
	f := newFlushers(t)
	idle, busy := f.dialTCP(), f.dialTCP()
	f.put(idle, "t", "x")
	held := f.disk.Gate(vfs.OpSync, walFiles)
	req := versioned(produceTo("t", [16]byte{}, -1, f.batch("x")))
	busy.send(7, req)
	<-held.Arrived()
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		stopped <- f.tcp.Stop(ctx)
	}()
	idle.mustBeClosed()
	held.Open()
	mustCode(t, "under way", onePartition(t, receive[*kmsg.ProduceResponse](busy, req)).ErrorCode, nil)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
