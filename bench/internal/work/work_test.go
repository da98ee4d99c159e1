package work

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/bench/internal/peers"
)

// kfake is a running peer, and what rows get.
func kfake(t *testing.T) (*Env, *peers.Running) {
	t.Helper()
	t.Chdir(filepath.Join("..", "..")) // where the bench is run
	work := t.TempDir()
	found, skipped, err := peers.Find(t.Context(), work, []string{"kfake"})
	if err != nil || len(found) != 1 {
		t.Fatal(skipped, err)
	}
	r, err := found[0].Start(t.Context(), work, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Remove(); err != nil {
			t.Error(err)
		}
	})
	return &Env{Scratch: work, Sizes: Smoke, Log: t.Logf}, r
}

// A row yields numbers; the same row through a broker that misbehaves yields the
// error, or the slowness, and never a good number.
func TestRowsBite(t *testing.T) {
	e, r := kfake(t)
	good, err := oneRow(t.Context(), e, r)
	if err != nil || good[0].Values[AcksPerS] <= 0 || good[0].BrokerCPU <= 0 || good[0].RSS <= 0 || good[0].Client != rawClient {
		t.Fatalf("%+v, %v", good, err)
	}
	real := r.Addr
	for _, c := range []struct {
		name, want string
		plant      func(*planted)
	}{
		{"an error code", "produce to", func(p *planted) { p.code.Store(1) }},
		{"acks without records", "were acked", func(p *planted) { p.swallow.Store(true) }},
	} {
		p := plant(t, real)
		c.plant(p)
		r.Addr = p.addr
		if res, err := oneRow(t.Context(), e, r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v", c.name, res, err)
		}
	}
	slow := plant(t, real)
	slow.delay = 20 * time.Millisecond
	r.Addr = slow.addr
	res, err := oneRow(t.Context(), e, r)
	if err != nil || res[0].Values[P50] < 20 || res[0].Values[P99] < res[0].Values[P50] || res[0].Values[AcksPerS] > 100 {
		t.Errorf("a slow broker: %+v, %v", res, err)
	}
}

// planted is a broker's misbehaviour: a proxy that changes what comes of Produce.
type planted struct {
	addr    string
	code    atomic.Int32 // error code of each partition
	swallow atomic.Bool  // every second Produce is acked, but not handed on
	delay   time.Duration
}

func plant(t *testing.T, broker string) *planted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &planted{addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.relay(client, broker)
		}
	}()
	return p
}

func (p *planted) relay(client net.Conn, broker string) {
	defer client.Close()
	b, err := net.Dial("tcp", broker)
	if err != nil {
		return
	}
	defer b.Close()
	var last []byte // the answer to the Produce before
	for n := 0; ; n++ {
		req, err := frame(client)
		if err != nil {
			return
		}
		produce := binary.BigEndian.Uint16(req[4:]) == uint16(kmsg.Produce)
		var resp []byte
		if produce && p.swallow.Load() && last != nil && n%2 == 0 {
			resp = slices.Clone(last)
			copy(resp[4:8], req[8:12]) // the correlation id
		} else {
			if _, err := b.Write(req); err != nil {
				return
			}
			if resp, err = frame(b); err != nil {
				return
			}
		}
		if produce {
			last = slices.Clone(resp)
			<-time.After(p.delay)
			var decoded kmsg.ProduceResponse
			decoded.Version = int16(binary.BigEndian.Uint16(req[6:]))
			if decoded.ReadFrom(resp[8:]) != nil {
				return
			}
			for i := range decoded.Topics {
				for j := range decoded.Topics[i].Partitions {
					decoded.Topics[i].Partitions[j].ErrorCode = int16(p.code.Load())
				}
			}
			resp = decoded.AppendTo(resp[:8:8])
			binary.BigEndian.PutUint32(resp, uint32(len(resp)-4))
		}
		if _, err := client.Write(resp); err != nil {
			return
		}
	}
}

func frame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, 4+binary.BigEndian.Uint32(size[:]))
	copy(b, size[:])
	_, err := io.ReadFull(r, b[4:])
	return b, err
}

// A worker that fails ends the drive.
func TestDriveFails(t *testing.T) {
	e, r := kfake(t)
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		w    worker
		want string
	}{
		{"at once", func(*tally) error { return broken }, "broken"},
		{"late", func(t *tally) error {
			for t.more() {
				t.ack(time.Millisecond, 1, 1)
			}
			return broken
		}, "broken"},
	} {
		if _, _, err := drive(t.Context(), e, r, time.Millisecond, []worker{c.w}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := drive(ctx, e, r, time.Hour, []worker{func(*tally) error { return nil }}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Only what is acked while measuring counts, all of it is verified.
func TestTally(t *testing.T) {
	t.Parallel()
	var phase atomic.Int32
	counted := make(chan struct{}, 1)
	c := tally{phase: &phase, counted: counted}
	for _, at := range []int32{warming, measuring, ending} {
		phase.Store(at)
		c.ack(time.Second, 2, 10)
	}
	if c.all != 6 || c.n != 2 || c.bytes != 10 || c.requests != 1 || len(counted) != 1 || len(c.latencies) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for q, want := range map[float64]int{.5: 50, .99: 99, 1: 100, 0: 1} {
		if got := quantile(hundred, q); got != want {
			t.Errorf("%v of 1 to 100 is %d, want %d", q, got, want)
		}
	}
	if got := quantile([]int{7}, .99); got != 7 {
		t.Error(got)
	}
}

// The rate that all share is half of the least maximum.
func TestHalf(t *testing.T) {
	t.Parallel()
	e := newEndToEnd()
	if _, err := e.half(); err == nil {
		t.Error("half of nothing")
	}
	e.maxima["a"], e.maxima["b"] = 500, 300
	if got, err := e.half(); got != 150 || err != nil {
		t.Error(got, err)
	}
}
