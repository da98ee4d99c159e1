//go:build linux

package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// BenchmarkConsume reports what a second of the broker's processor time (user and
// system) is worth in MB sent to consumers, beside a loop that does nothing but
// sendfile and one of pread and write. The consumers are processes of their own:
// what they take does not count.
//
//	go test -run xxx -bench Consume -benchtime 8x -count 5 ./internal/wire
func BenchmarkConsume(b *testing.B) {
	const total = 128 << 20
	for _, size := range []int{16 << 10, 500 << 10} {
		b.Run(fmt.Sprintf("batch=%dKiB", size>>10), func(b *testing.B) {
			disk := newConsumeBench(b, total, size, plog.Options{})
			if err := disk.broker.Store.Checkpoint(); err != nil {
				b.Fatal(err)
			}
			tail := newConsumeBench(b, 64<<20, size, plog.Options{CheckpointBytes: 1 << 40, CheckpointEvery: time.Hour, DirectFewBytes: 128 << 10})
			file := disk.segment()
			b.Run("limit=sendfile", func(b *testing.B) { rawLoop(b, file, "discard", sendfileAll) })
			b.Run("limit=sendfile-on-request", func(b *testing.B) { rawLoop(b, file, "ask", sendfileAsked) })
			b.Run("disk-after-a-start", func(b *testing.B) {
				var sum int64
				var spent time.Duration
				for range b.N {
					disk.restart(b)
					before := cpuTime()
					sum += benchClient(b, "fetch", disk.addr, strconv.FormatInt(disk.end, 10), "1")
					spent += cpuTime() - before
				}
				b.ReportMetric(float64(sum)/1e6/spent.Seconds(), "MB/cpu-s")
				b.ReportMetric(0, "ns/op")
			})
			b.Run("disk", func(b *testing.B) { disk.consume(b, 1) })
			b.Run("limit=pread", func(b *testing.B) { rawLoop(b, file, "discard", preadAll) })
			b.Run("tail", func(b *testing.B) { tail.consume(b, 1) })
			b.Run("disk-ten-at-once", func(b *testing.B) { disk.consume(b, 10) })
		})
	}
}

type consumeBench struct {
	dir    string
	opt    plog.Options
	broker *broker.Broker
	srv    *Server
	addr   string
	end    int64
}

// newConsumeBench is a broker on a real disk and a real socket, with total bytes of
// 1 KiB records in partition 0 of t.
func newConsumeBench(b *testing.B, total, batch int, opt plog.Options) *consumeBench {
	b.Helper()
	c := &consumeBench{dir: b.TempDir(), opt: opt}
	c.start(b)
	b.Cleanup(func() { c.stop(b) })
	br := c.broker
	if err := br.EnsureTopic(b.Context(), "t", 1, nil); err != nil {
		b.Fatal(err)
	}
	p := br.Partition("t", 0)
	records := make([]kafka.Record, batch/1040)
	for i := range records {
		records[i] = kafka.Record{Timestamp: br.Now().UnixMilli(), Value: make([]byte, 1024)}
	}
	var last plog.Pos
	for sent := 0; sent < total; sent += batch {
		r, err := br.Produce(b.Context(), p, kafka.Build(kafka.BatchSpec{}, records))
		if err != nil {
			b.Fatal(err)
		}
		last = r.Pos
	}
	if err := br.Store.Wait(b.Context(), last); err != nil {
		b.Fatal(err)
	}
	c.end = p.Log.HighWatermark()
	return c
}

func (c *consumeBench) start(b *testing.B) {
	b.Helper()
	var err error
	if c.broker, err = broker.Open(broker.Config{FS: vfs.OS{}, Dir: c.dir, Relaxed: true, Store: c.opt}); err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if c.srv, err = NewServer(Config{Broker: c.broker, Listeners: []*Listener{{Name: "PLAINTEXT", Net: ln}}}); err != nil {
		b.Fatal(err)
	}
	c.srv.Start()
	c.addr = ln.Addr().String()
}

func (c *consumeBench) stop(b *testing.B) {
	c.srv.Stop(context.Background())
	if err := c.broker.Close(); err != nil {
		b.Error(err)
	}
}

func (c *consumeBench) restart(b *testing.B) {
	c.stop(b)
	c.start(b)
}

func (c *consumeBench) segment() string {
	names, _ := filepath.Glob(filepath.Join(c.dir, "logs", "t.*", "0", "*.log"))
	return names[0]
}

// consume has n processes read the whole partition b.N times each.
func (c *consumeBench) consume(b *testing.B, n int) {
	perCPU(b, func() int64 {
		var all sync.WaitGroup
		sizes := make([]int64, n)
		for i := range n {
			all.Go(func() {
				sizes[i] = benchClient(b, "fetch", c.addr, strconv.FormatInt(c.end, 10), strconv.Itoa(b.N))
			})
		}
		all.Wait()
		var sum int64
		for _, s := range sizes {
			sum += s
		}
		return sum
	})
}

// perCPU reports MB per second of this process's time in fn, which returns bytes.
func perCPU(b *testing.B, fn func() int64) {
	before := cpuTime()
	n := fn()
	b.ReportMetric(float64(n)/1e6/(cpuTime()-before).Seconds(), "MB/cpu-s")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rawLoop sends the file b.N times to a process that throws it away.
func rawLoop(b *testing.B, name, how string, send func(net.Conn, *os.File) error) {
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		for range b.N {
			if send(nc, f) != nil {
				return
			}
		}
	}()
	perCPU(b, func() int64 { return benchClient(b, how, ln.Addr().String(), "0", "0") })
}

func sendfileAll(nc net.Conn, f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return sendfileRange(nc, f, 0, st.Size())
}

// sendfileAsked sends the file in parts of askedSize, each when the other side has sent
// a byte, as it asks for the next part of a log.
func sendfileAsked(nc net.Conn, f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	var ask [1]byte
	for off := int64(0); off+askedSize <= st.Size(); off += askedSize {
		if _, err := nc.Read(ask[:]); err != nil {
			return err
		}
		if err := sendfileRange(nc, f, off, off+askedSize); err != nil {
			return err
		}
	}
	return nil
}

const askedSize = 1 << 20

func sendfileRange(nc net.Conn, f *os.File, off, end int64) error {
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for off < end {
			_, err := unix.Sendfile(int(fd), int(f.Fd()), &off, int(min(1<<20, end-off)))
			if err == unix.EAGAIN {
				return false
			}
			if err != nil {
				failed = err
				return true
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return err
}

func preadAll(nc net.Conn, f *os.File) error {
	buf := make([]byte, 1<<20)
	for off := int64(0); ; {
		n, err := f.ReadAt(buf, off)
		if _, err := nc.Write(buf[:n]); err != nil {
			return err
		}
		off += int64(n)
		if err != nil {
			return nil
		}
	}
}

const benchClientEnv = "LEAT_BENCH_CLIENT"

// benchClient runs TestBenchClient in a process of its own and returns the bytes it
// has read.
func benchClient(b *testing.B, args ...string) int64 {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestBenchClient$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%q", benchClientEnv, args))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	var n int64
	if _, serr := fmt.Sscan(string(out), &n); err != nil || serr != nil {
		b.Errorf("client %v: %v, %v: %s", args, err, serr, out)
	}
	return n
}

// TestBenchClient is the reading process of BenchmarkConsume.
func TestBenchClient(t *testing.T) {
	var how, addr, end, times string
	if _, err := fmt.Sscanf(os.Getenv(benchClientEnv), "[%q %q %q %q]", &how, &addr, &end, &times); err != nil {
		t.Skip("only BenchmarkConsume runs it")
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if how == "discard" {
		n, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{nc}, make([]byte, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(n)
		return
	}
	if how == "ask" {
		buf := make([]byte, askedSize)
		sum := 0
		for {
			if _, err := nc.Write([]byte{1}); err != nil {
				break
			}
			n, err := io.ReadFull(nc, buf)
			if sum += n; err != nil {
				break
			}
		}
		fmt.Println(sum)
		return
	}
	last, _ := strconv.ParseInt(end, 10, 64)
	n, _ := strconv.Atoi(times)
	var sum int64
	for range n {
		sum += fetchAll(t, nc, last)
	}
	fmt.Println(sum)
}

type onlyWriter struct{ io.Writer }
type onlyReader struct{ io.Reader }

// fetchAll reads partition 0 of t from the start to the end, a megabyte at a time, and
// looks only at the headers of the batches.
func fetchAll(t *testing.T, nc net.Conn, end int64) (bytes int64) {
	buf := make([]byte, 2<<20)
	for at := int64(0); at < end; {
		req := fetchFrom("t", kafka.UUID{}, at)
		req.Version = 12
		req.Topics[0].Partitions[0].PartitionMaxBytes = 1 << 20
		if _, err := nc.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(nc, buf[:4]); err != nil {
			t.Fatal(err)
		}
		n := int(binary.BigEndian.Uint32(buf))
		if _, err := io.ReadFull(nc, buf[:n]); err != nil {
			t.Fatal(err)
		}
		// The records are the last field but two empty lists of tags.
		var resp kmsg.FetchResponse
		resp.Version = 12
		if err := resp.ReadFrom(buf[5:n]); err != nil || len(resp.Topics) == 0 {
			t.Fatal(err, resp)
		}
		data := resp.Topics[0].Partitions[0].RecordBatches
		if len(data) == 0 {
			t.Fatalf("nothing at %d of %d: %s", at, end, name(resp.Topics[0].Partitions[0].ErrorCode))
		}
		bytes += int64(len(data))
		for len(data) > 0 {
			b, rest, err := kafka.NextBatch(data)
			if err != nil {
				t.Fatal(err)
			}
			at, data = b.NextOffset(), rest
		}
	}
	return bytes
}
