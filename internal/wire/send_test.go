package wire

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// countingFS is the real file system; it counts what is open and what the system has
// put onto sockets by itself.
type countingFS struct {
	vfs.OS
	open, sent, calls atomic.Int64
	refuse            atomic.Bool // as a file system without sendfile does
}

type countingFile struct {
	vfs.Sender
	fs *countingFS
}

func (c *countingFS) counted(f vfs.File, err error) (vfs.File, error) {
	if s, ok := f.(vfs.Sender); ok && err == nil {
		c.open.Add(1)
		return &countingFile{s, c}, nil
	}
	return f, err
}

func (c *countingFS) Create(name string) (vfs.File, error)   { return c.counted(c.OS.Create(name)) }
func (c *countingFS) Open(name string) (vfs.File, error)     { return c.counted(c.OS.Open(name)) }
func (c *countingFS) OpenRead(name string) (vfs.File, error) { return c.counted(c.OS.OpenRead(name)) }

func (f *countingFile) Close() error {
	f.fs.open.Add(-1)
	return f.Sender.Close()
}

func (f *countingFile) SendTo(socket uintptr, off int64, n int) (int, error) {
	if f.fs.refuse.Load() {
		return 0, vfs.ErrNoSend
	}
	n, err := f.Sender.SendTo(socket, off, n)
	f.fs.sent.Add(int64(n))
	f.fs.calls.Add(1)
	return n, err
}

// socketBench is a broker on a real disk behind a real socket.
type socketBench struct {
	t      *testing.T
	fs     *countingFS
	broker *broker.Broker
	srv    *Server
	addr   string
}

func newSocketBench(t *testing.T, opt plog.Options) *socketBench {
	t.Helper()
	b := &socketBench{t: t, fs: &countingFS{}}
	var err error
	if b.broker, err = broker.Open(broker.Config{FS: b.fs, Dir: t.TempDir(), Relaxed: true, Store: opt}); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = ln.Addr().String()
	if b.srv, err = NewServer(Config{Broker: b.broker, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Listeners: []*Listener{{Name: "PLAINTEXT", Net: ln}}}); err != nil {
		t.Fatal(err)
	}
	b.srv.Start()
	return b
}

// stop ends the server and the broker; every file must be closed then.
func (b *socketBench) stop() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b.srv.Stop(ctx) // cuts off who does not read
	b.srv.serving.Wait()
	if err := b.broker.Close(); err != nil {
		b.t.Error(err)
	}
	if n := b.fs.open.Load(); n != 0 {
		b.t.Errorf("%d files are still open", n)
	}
}

// dial connects with a small receive buffer where that is asked for: such a client
// takes next to nothing that it does not read.
func (b *socketBench) dial(small bool) *client {
	b.t.Helper()
	d := net.Dialer{}
	if small {
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		}
	}
	nc, err := d.Dial("tcp", b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(time.Minute))
	return &client{b.t, nc}
}

// produce appends a batch of one record of n bytes.
func (b *socketBench) produce(p *broker.Partition, n int) {
	b.t.Helper()
	batch := batchAt(kafka.BatchSpec{}, b.broker.Now().UnixMilli(), strings.Repeat("x", n))
	r, err := b.broker.Produce(b.t.Context(), p, batch)
	if err == nil {
		err = b.broker.Store.Wait(b.t.Context(), r.Pos)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// Answers of all kinds, asked for in one go, come in order and byte for byte: records
// in memory, in files and both, small and large ones, between other answers. What is
// in files is sent by the system alone; where it refuses, it is read.
func TestRecordsOnASocket(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		b := newSocketBench(t, plog.Options{CheckpointBytes: 1 << 40, CheckpointEvery: time.Hour, DirectFewBytes: 128 << 10})
		b.fs.refuse.Store(refuse)
		if err := b.broker.EnsureTopic(t.Context(), "t", 3, map[string]string{"segment.bytes": "4000000"}); err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(8, 9))
		for p := range int32(3) {
			part := b.broker.Partition("t", p)
			for i := range 120 {
				b.produce(part, []int{50, 2000, 30_000, 200_000}[rng.IntN(4)])
				if i == 70 && p < 2 { // 0 and 1 are in files and in memory, 2 in memory alone
					if err := b.broker.Store.Checkpoint(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		c := b.dial(false)
		var reqs []*kmsg.FetchRequest
		var all []byte
		for i := range int32(60) {
			req := fetchFrom("t", kafka.UUID{}, 0)
			req.Version, req.MaxBytes = int16(4+rng.IntN(9)), 50<<20
			req.Topics[0].Partitions = nil
			for p := range int32(3) {
				rp := fetchPartition(p, rng.Int64N(121))
				rp.PartitionMaxBytes = int32(1 << (6 + rng.IntN(18)))
				req.Topics[0].Partitions = append(req.Topics[0].Partitions, rp)
			}
			reqs = append(reqs, req)
			all = append(all, kmsg.NewRequestFormatter().AppendRequest(nil, req, 7)...)
			all = append(all, kmsg.NewRequestFormatter().AppendRequest(nil, metadataRequest(), i)...)
		}
		go c.nc.Write(all)
		inFiles := int64(0)
		for i, req := range reqs {
			asked := req.Topics[0].Partitions
			resp := receive[*kmsg.FetchResponse](c, req)
			total := 0
			for p, rp := range resp.Topics[0].Partitions {
				log := b.broker.Partition("t", int32(p)).Log
				mustCode(t, "fetch", rp.ErrorCode, nil)
				want, err := log.Read(asked[p].FetchOffset, max(len(rp.RecordBatches), 1), true)
				if asked[p].FetchOffset < 120 && err == nil && len(rp.RecordBatches) > 0 && !bytes.Equal(rp.RecordBatches, want[:len(rp.RecordBatches)]) || err != nil {
					t.Fatalf("fetch %d of %d: %d bytes are not the log's, %v", i, asked[p].FetchOffset, len(rp.RecordBatches), err)
				}
				if len(rp.RecordBatches) == 0 && asked[p].FetchOffset < 120 && total == 0 {
					t.Fatalf("fetch %d of %d: nothing", i, asked[p].FetchOffset)
				}
				if len(rp.RecordBatches) > int(asked[p].PartitionMaxBytes) && total > 0 {
					t.Fatalf("fetch %d of %d: %d bytes, at most %d", i, asked[p].FetchOffset, len(rp.RecordBatches), int(asked[p].PartitionMaxBytes))
				}
				total += len(rp.RecordBatches)
				if p < 2 && asked[p].FetchOffset < 40 && len(rp.RecordBatches) >= spliceFrom {
					inFiles += int64(min(len(rp.RecordBatches), 1<<20)) / 2
				}
			}
			if corr, _ := c.recv(); corr != int32(i) {
				t.Fatalf("answer %d instead of %d", corr, i)
			}
		}
		sent := b.fs.sent.Load()
		switch {
		case inFiles < 4<<20:
			t.Errorf("only %d bytes came from files", inFiles)
		case runtime.GOOS != "linux" || refuse:
			if sent != 0 {
				t.Errorf("%d bytes were sent by the system", sent)
			}
		case sent < inFiles:
			t.Errorf("%d bytes were sent by the system, files held %d of what was asked for", sent, inFiles)
		}
		c.nc.Close()
		b.stop()
	}
}

// Many clients that ask for much and read nothing hold no memory, of ours or of the
// write-ahead log: others are served, records are appended, checkpoints free it.
func TestSlowReadersHoldNoMemory(t *testing.T) {
	const readers, each = 200, 50 << 20
	b := newSocketBench(t, plog.Options{CheckpointBytes: 1 << 40, CheckpointEvery: time.Hour, DirectFewBytes: 128 << 10})
	if err := b.broker.EnsureTopic(t.Context(), "t", 2, nil); err != nil {
		t.Fatal(err)
	}
	part := b.broker.Partition("t", 0)
	for range 40 {
		b.produce(part, 1_000_000)
	}
	if err := b.broker.Store.Checkpoint(); err != nil { // those are in the file
		t.Fatal(err)
	}
	for range 120 {
		b.produce(part, 100_000) // in memory
	}
	used := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	before := used()
	req := fetchFrom("t", kafka.UUID{}, 0)
	req.Version, req.MaxBytes = 12, each
	req.Topics[0].Partitions[0].PartitionMaxBytes = each
	var slow []*client
	for i := range readers {
		c := b.dial(true)
		r := *req
		if i%2 == 1 { // half of them from the tail
			at := fetchPartition(0, 40)
			at.PartitionMaxBytes = each
			r.Topics = []kmsg.FetchRequestTopic{{Topic: "t", Partitions: []kmsg.FetchRequestTopicPartition{at}}}
		}
		c.send(1, &r)
		c.send(2, &r)
		slow = append(slow, c)
	}
	for _, c := range slow { // the answer has begun: it is on its way and stuck
		var size [4]byte
		if _, err := c.nc.Read(size[:]); err != nil {
			t.Fatal(err)
		}
	}
	if grown := used() - before; grown > readers*(128<<10) {
		t.Errorf("%d slow readers take %d KiB each", readers, grown/readers>>10)
	}
	// Others go on: all of the log is read, written and moved to its segments.
	for range 100 {
		b.produce(part, 100_000)
	}
	held := b.broker.Store.Memory()
	if err := b.broker.Store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if left := b.broker.Store.Memory(); left > held/4 {
		t.Errorf("the tail holds %d of %d bytes after the checkpoint", left, held)
	}
	c := b.dial(false)
	for at := int64(0); at < part.Log.HighWatermark(); {
		got := offsets(t, oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom("t", kafka.UUID{}, at), 12)).RecordBatches)
		if len(got) == 0 || got[0] != at {
			t.Fatalf("at %d: %v", at, got)
		}
		at = got[len(got)-1] + 1
	}
	// One of them reads on after all, what has moved from memory to the file meanwhile.
	// (Its size was read above.)
	var first [9]byte
	if _, err := slow[1].nc.Read(first[:1]); err != nil {
		t.Fatal(err)
	}
	for _, c := range slow {
		c.nc.Close()
	}
	b.stop()
}

// An answer of very many partitions that nobody reads keeps few files open, and is
// whole when it is read after all.
func TestManyPartitionsHoldFewFiles(t *testing.T) {
	t.Parallel()
	const partitions = 300
	b := newSocketBench(t, plog.Options{OpenFiles: 1})
	if err := b.broker.EnsureTopic(t.Context(), "t", partitions, nil); err != nil {
		t.Fatal(err)
	}
	c := b.dial(true)
	req := fetchFrom("t", kafka.UUID{}, 0)
	req.Version, req.MaxBytes, req.Topics[0].Partitions = 12, 50<<20, nil
	for p := range int32(partitions) {
		size := 50_000
		if p%3 == 0 {
			size = 100 // is sent among the rest
		}
		b.produce(b.broker.Partition("t", p), size)
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetchPartition(p, 0))
	}
	if err := b.broker.Store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	before := b.fs.open.Load()
	c.send(7, req)
	c.send(7, req)
	var first [4]byte
	if _, err := io.ReadFull(c.nc, first[:]); err != nil {
		t.Fatal(err)
	}
	if n := b.fs.open.Load() - before; n > 2*mostPinned+20 {
		t.Errorf("%d files are open for two answers of %d partitions", n, partitions)
	}
	c.nc = &rereading{c.nc, first[:]}
	for range 2 {
		resp := receive[*kmsg.FetchResponse](c, req)
		for p, rp := range resp.Topics[0].Partitions {
			if want, err := b.broker.Partition("t", int32(p)).Log.Read(0, 1, true); err != nil || !bytes.Equal(rp.RecordBatches, want) {
				t.Fatalf("partition %d: %d bytes instead of %d, %v", p, len(rp.RecordBatches), len(want), err)
			}
		}
	}
	c.nc.Close()
	b.stop()
}

// rereading is a connection some of whose bytes were read before.
type rereading struct {
	net.Conn
	before []byte
}

func (r *rereading) Read(b []byte) (int, error) {
	if len(r.before) > 0 {
		n := copy(b, r.before)
		r.before = r.before[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

// A damaged batch is refused with CORRUPT_MESSAGE, which clients show; what is before
// and behind it and other partitions of the same request are served.
func TestFetchOfDamage(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	b.topic("t", 2)
	c := b.dial()
	var sizes []int64
	for range 6 {
		batch := b.batch("0123456789")
		sizes = append(sizes, int64(len(batch)))
		ask[*kmsg.ProduceResponse](c, produceTo("t", kafka.UUID{}, -1, batch, b.batch("other")), 9)
	}
	if err := b.broker.Store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	file := ""
	for _, l := range b.broker.Store.Logs() {
		if l == b.broker.Partition("t", 0).Log {
			names, err := b.disk.List("/data/logs")
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				if strings.HasPrefix(n, "t.") {
					file = "/data/logs/" + n + "/0/00000000000000000000.log"
				}
			}
		}
	}
	f, err := b.disk.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff}, sizes[0]*3+70); err != nil { // in the records of the fourth
		t.Fatal(err)
	}
	f.Close()
	b.kill()
	c = b.dial()
	fetch := func(at int64) (int16, []int64) {
		req := fetchFrom("t", kafka.UUID{}, at)
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetchPartition(1, 0))
		parts := ask[*kmsg.FetchResponse](c, req, 12).Topics[0].Partitions
		if got := offsets(t, parts[1].RecordBatches); len(got) != 6 {
			t.Errorf("the other partition: %v", got)
		}
		return parts[0].ErrorCode, offsets(t, parts[0].RecordBatches)
	}
	for at, want := range [][]int64{{0, 1, 2}, {1, 2}, {2}, nil, {4, 5}, {5}} {
		code, got := fetch(int64(at))
		if len(got) != len(want) || len(want) > 0 && got[0] != want[0] || len(want) == 0 && name(code) != kerr.CorruptMessage.Message {
			t.Errorf("at %d: %s %v, want %v", at, name(code), got, want)
		}
	}
	if d := b.broker.Store.Damage(); len(d) != 1 || d[0].First != 3 || d[0].Last != 3 || d[0].Topic != "t" {
		t.Errorf("%+v", d)
	}
}
