package wire

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Frames wait in the order in which they asked, and one that is larger than what is
// left is not overtaken for ever by small ones.
func TestMemoryIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{limit: 100}
		var order []string
		ask := func(name string, n int64) *share {
			s := new(share)
			go func() {
				if err := m.grow(t.Context(), s, n); err != nil {
					t.Error(err)
				}
				order = append(order, name)
			}()
			synctest.Wait()
			return s
		}
		first, big, small := ask("first", 60), ask("big", 80), ask("small", 30)
		if len(order) != 1 || m.used != 60 {
			t.Fatalf("%v came through, %d bytes are used", order, m.used)
		}
		m.release(first)
		synctest.Wait()
		if len(order) != 2 || order[1] != "big" || m.used != 80 {
			t.Fatalf("%v came through, %d bytes are used", order, m.used)
		}
		m.release(big)
		synctest.Wait()
		if len(order) != 3 || m.used != 30 {
			t.Fatalf("%v came through, %d bytes are used", order, m.used)
		}
		m.release(small)
		if m.used != 0 {
			t.Errorf("%d bytes are still used", m.used)
		}
	})
}

// Frames that have all begun and all want more do not wait for each other: one at a
// time goes beyond the limit. What is taken stays below the limit and the largest
// frame, and nobody is left waiting.
func TestMemoryHasNoDeadlock(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			const limit, largest, step = 1000, 700, 64
			m := &memory{limit: limit}
			var finished atomic.Int64
			for i := range uint64(40) {
				r := rand.New(rand.NewPCG(seed, i))
				go func() {
					for range 5 {
						s := new(share)
						for want := 1 + r.Int64N(largest); s.held < want; {
							ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+r.IntN(1000))*time.Millisecond)
							err := m.grow(ctx, s, min(step, want-s.held))
							cancel()
							if err != nil {
								break // a connection that ends
							}
							if used := m.inUse(); used > limit+largest {
								t.Errorf("%d bytes are taken", used)
							}
							time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond) // within synctest: other frames' turn
						}
						m.release(s)
					}
					finished.Add(1)
				}()
			}
			time.Sleep(time.Hour) // on synctest's clock: all are done or will never be
			synctest.Wait()
			if finished.Load() != 40 || m.used != 0 || m.beyond != nil || len(m.waiting) != 0 {
				t.Fatalf("seed %d: %d of 40 are done, %d bytes are used, %d wait", seed, finished.Load(), m.used, len(m.waiting))
			}
		})
	}
}

// A frame that stands still in the middle loses its connection: others may wait for
// what it holds. One that goes on slowly does not.
func TestStalledFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, nil)
		slow, still := b.dial(), b.dial()
		for _, c := range []*client{slow, still} {
			c.write([]byte{0, 0x10, 0, 0}) // 1 MiB
			c.write(make([]byte, 5000))
		}
		for range 5 {
			time.Sleep(stall - time.Second)
			slow.write(make([]byte, 100))
		}
		still.mustBeClosed()
		if used := b.srv.memory.inUse(); used == 0 {
			t.Error("the slow frame holds nothing")
		}
		slow.nc.Close()
		synctest.Wait()
		if used := b.srv.memory.inUse(); used != 0 {
			t.Errorf("%d bytes are still taken", used)
		}
	})
}

// Large records from many connections at once stay within the budget: more sockets
// wait than frames are in memory, and every record is acknowledged.
func TestLargeRecordsWithinTheBudget(t *testing.T) {
	t.Parallel()
	const size, clients, each, budget = 1 << 20, 16, 4, 4 << 20
	b := newDataBench(t, map[string]string{"queued.max.request.bytes": itoa(budget), "message.max.bytes": itoa(2 * size)})
	id := b.topic("t", 4)
	var most atomic.Int64
	look := func() {
		used := b.srv.memory.inUse()
		for m := most.Load(); used > m && !most.CompareAndSwap(m, used); m = most.Load() {
		}
	}
	acked := make(chan error, clients*each)
	batch := b.batch(string(make([]byte, size)))
	for i := range clients {
		c := b.dial()
		go func() {
			for range each {
				acked <- func() error {
					req := produceTo("t", id, -1, batch)
					req.Topics[0].Partitions[0].Partition = int32(i % 4)
					req.Version = 9
					if _, err := c.nc.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
						return err
					}
					resp := kmsg.NewPtrProduceResponse()
					resp.Version = 9
					look()
					_, body := c.recv()
					look()
					if err := resp.ReadFrom(body[1:]); err != nil {
						return err
					}
					if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
						return errors.New("refused")
					}
					return nil
				}()
			}
		}()
	}
	for range clients * each {
		if err := <-acked; err != nil {
			t.Fatal(err)
		}
	}
	// A frame in the smallest class that holds it, and while it grows the memory it
	// is moved from.
	if most, bound := most.Load(), int64(budget+2*bufferSize(size+1000)); most > bound || most < size {
		t.Errorf("at most %d bytes were taken, want no more than %d", most, bound)
	}
	if used := b.srv.memory.inUse(); used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
	var records int64
	for i := range int32(4) {
		records += b.broker.PartitionByID(id, i).Log.HighWatermark()
	}
	if records != clients*each {
		t.Errorf("%d records are there, %d were acknowledged", records, clients*each)
	}
}
