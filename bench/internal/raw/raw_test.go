package raw

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const topic = "t"

func cluster(t *testing.T) (*kfake.Cluster, *Conn) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, dial(t, c.ListenAddrs()[0])
}

func dial(t *testing.T, addr string) *Conn {
	t.Helper()
	conn, err := Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// times is a condition that is true so often.
func times(n int) func() bool { return func() bool { n--; return n >= 0 } }

// What is sent is acked, is there, and is read back by this client and by another.
func TestProduceAndFetch(t *testing.T) {
	t.Parallel()
	c, conn := cluster(t)
	if err := conn.CreateTopic(topic, 2, nil); err != nil {
		t.Fatal(err)
	}
	if err := conn.CreateTopic(topic, 2, nil); err == nil {
		t.Error("a topic is created twice")
	}
	if err := conn.Leaders(topic, 2); err != nil {
		t.Error(err)
	}
	if err := conn.Leaders(topic, 3); err == nil {
		t.Error("two partitions are three")
	}
	const n, size, requests = 7, 100, 12
	acked := 0
	p := Pipeline{Conn: conn, Frames: [][]byte{ProduceFrame(topic, []int32{0, 1}, Batch(n, size))}, Partitions: 2, Depth: 5,
		Acked: func(l time.Duration) {
			if l <= 0 {
				t.Error("no latency")
			}
			acked++
		}}
	if err := p.Run(times(requests)); err != nil || acked != requests {
		t.Fatalf("%d acked, %v", acked, err)
	}
	ends, err := conn.Ends(topic, 2)
	if err != nil || ends[0] != n*requests || ends[1] != n*requests {
		t.Fatalf("ends %v, %v", ends, err)
	}
	r := NewReader(conn, topic, map[int32]int64{0: 0, 1: 3}, 1<<20) // 3 is amid the first batch
	var records int64
	for records < 2*n*requests-3 {
		got, bytes, err := r.Fetch()
		if err != nil || got == 0 || bytes == 0 {
			t.Fatalf("after %d records: %d, %d bytes, %v", records, got, bytes, err)
		}
		records += got
	}
	if records != 2*n*requests-3 || r.Offset(0) != n*requests || r.Offset(1) != n*requests {
		t.Errorf("%d records up to %d and %d", records, r.Offset(0), r.Offset(1))
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for seen := 0; seen < 2*n*requests; {
		f := cl.PollFetches(t.Context())
		if err := f.Err(); err != nil {
			t.Fatal(err) // a wrong CRC is one
		}
		f.EachRecord(func(rec *kgo.Record) {
			if len(rec.Value) != size {
				t.Errorf("a value of %d bytes", len(rec.Value))
			}
			seen++
		})
	}
	if err := conn.FindCoordinator("g"); err != nil {
		t.Error(err)
	}
	if err := conn.Commit("g", topic, map[int32]int64{0: 5}); err != nil {
		t.Error(err)
	}
	if err := conn.DeleteTopic(topic); err != nil {
		t.Error(err)
	}
	if err := conn.DeleteTopic(topic); err == nil {
		t.Error("a topic is deleted twice")
	}
}

// An error code of one partition fails the run; it does not look fast.
func TestErrorsFail(t *testing.T) {
	t.Parallel()
	c, conn := cluster(t)
	if err := conn.CreateTopic(topic, 1, nil); err != nil {
		t.Fatal(err)
	}
	p := Pipeline{Conn: conn, Frames: [][]byte{ProduceFrame(topic, []int32{0, 9}, Batch(1, 10))}, Partitions: 2, Depth: 1, Acked: func(time.Duration) { t.Error("acked") }}
	if err := p.Run(times(1)); err == nil || !strings.Contains(err.Error(), "t/9") {
		t.Errorf("a partition that is not there: %v", err)
	}
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		return req.ResponseKind(), nil, true // about no partition
	})
	p.Frames, p.Partitions = [][]byte{ProduceFrame(topic, []int32{0}, Batch(1, 10))}, 1
	if err := p.Run(times(1)); err == nil || !strings.Contains(err.Error(), "0 partitions") {
		t.Errorf("an answer about nothing: %v", err)
	}
	r := NewReader(conn, topic, map[int32]int64{0: 99}, 1<<20)
	if _, _, err := r.Fetch(); err == nil || !strings.Contains(err.Error(), kerr.OffsetOutOfRange.Message) {
		t.Errorf("an offset that is not there: %v", err)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	a, b := Batch(3, 10), Batch(2, 10)
	b[7] = 3 // its first offset
	both := append(append([]byte(nil), a...), b...)
	for _, c := range []struct {
		name          string
		in            []byte
		want          int64
		records, next int64
		bad           bool
	}{
		{"both", both, 0, 5, 5, false}, {"cut", both[:len(both)-1], 0, 3, 3, false}, {"amid", both, 2, 3, 5, false},
		{"second", both, 3, 2, 5, false}, {"nothing", nil, 4, 0, 4, false}, {"hole", b, 0, 0, 0, true},
	} {
		n, next, err := count(c.in, c.want)
		if (err != nil) != c.bad || !c.bad && (n != c.records || next != c.next) {
			t.Errorf("%s: %d records, next %d, %v", c.name, n, next, err)
		}
	}
}

// Something that is no broker, and a broker that answers another request.
func TestNoBroker(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"HTTP/1.1 400 Bad Request\r\n\r\n":     "an answer of",
		"\x00\x00\x00\x08\x00\x00\x00\x07aaaa": "request 7",
		"\x00\x00\x00\x08\x00\x00\x00\x00aa":   "read an answer",
		"\x00\x00\x00\x04\x00\x00\x00\x00":     "answer to Metadata",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, answer)
			if tc, ok := conn.(*net.TCPConn); ok {
				_ = tc.CloseWrite()
			}
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}()
		if err := dial(t, l.Addr().String()).Leaders("", 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", answer, err, want)
		}
		_ = l.Close()
	}
}
