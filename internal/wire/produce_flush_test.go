package wire

import (
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// walFiles are the write-ahead log's, whose syncs are the flushes.
const walFiles = "*.wal"

// flushes counts the syncs since Trace.
func (b *dataBench) flushes() (n int) {
	for _, line := range b.disk.Lines() {
		if strings.HasPrefix(line, "sync ") && strings.Contains(line, "wal") {
			n++
		}
	}
	return n
}

func versioned(req *kmsg.ProduceRequest) *kmsg.ProduceRequest {
	req.Version = 9
	return req
}

// Several requests of one connection join one flush, and one request to many
// partitions waits once: while a flush is held, all that comes in gathers, and goes
// to disk with one more.
func TestProduceJoinsFlushes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		many := b.topic("many", 50)
		one := b.topic("one", 1)
		c, other := b.dial(), b.dial()
		synctest.Wait()
		b.disk.Trace(vfs.OpSync)
		held := b.disk.Gate(vfs.OpSync, walFiles)
		first := versioned(produceTo("one", one, -1, b.batch("first")))
		c.send(7, first)
		<-held.Arrived()
		var batches [][]byte
		for range 50 {
			batches = append(batches, b.batch("x"))
		}
		wide := versioned(produceTo("many", many, -1, batches...))
		c.send(7, wide)
		for range 20 {
			c.send(7, first)
		}
		other.send(7, first)
		synctest.Wait()
		if n := len(held.Arrived()); n != 0 {
			t.Errorf("%d flushes at once", n+1)
		}
		held.Open()
		receive[*kmsg.ProduceResponse](c, first)
		for _, rt := range receive[*kmsg.ProduceResponse](c, wide).Topics {
			for _, p := range rt.Partitions {
				mustCode(t, "wide", p.ErrorCode, nil)
			}
		}
		for range 20 {
			mustCode(t, "follows", onePartition(t, receive[*kmsg.ProduceResponse](c, first)).ErrorCode, nil)
		}
		mustCode(t, "other", onePartition(t, receive[*kmsg.ProduceResponse](other, first)).ErrorCode, nil)
		if n := b.flushes(); n != 2 {
			t.Errorf("%d flushes for 23 requests, want 2:\n%s", n, strings.Join(b.disk.Lines(), "\n"))
		}
	})
}

// Before the flush: acks=1 is answered, acks=all and a repeat of its batch are
// not, and nobody sees any of it: not by Fetch, not by ListOffsets.
func TestNothingIsShownBeforeItsFlush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		writer, again, reader, loose := b.dial(), b.dial(), b.dial(), b.dial()
		b.put(writer, "t", "durable")
		held := b.disk.Gate(vfs.OpSync, walFiles)
		all := versioned(produceTo("t", id, -1, b.from(kafka.ProducerSpec{ID: 5}, "a")))
		writer.send(7, all)
		<-held.Arrived()
		again.send(7, all)
		synctest.Wait()
		one := versioned(produceTo("t", id, 1, b.batch("b")))
		loose.send(7, one)
		synctest.Wait()
		if got := end(reader, "t"); got != 1 {
			t.Errorf("latest is %d, only 1 is durable", got)
		}
		if p := oneFetched(t, ask[*kmsg.FetchResponse](reader, fetchFrom("t", id, 0), 13)); p.HighWatermark != 1 || len(offsets(t, p.RecordBatches)) != 1 {
			t.Errorf("shown: %v, high watermark %d", offsets(t, p.RecordBatches), p.HighWatermark)
		}
		mustCode(t, "behind the durable end", oneFetched(t, ask[*kmsg.FetchResponse](reader, fetchFrom("t", id, 2), 13)).ErrorCode, kerr.OffsetOutOfRange)
		mustCode(t, "delete what is not durable", ask[*kmsg.DeleteRecordsResponse](reader, deleteTo("t", 2), 2).Topics[0].Partitions[0].ErrorCode, kerr.OffsetOutOfRange)
		parked := fetchFrom("t", id, 1)
		parked.Version, parked.MaxWaitMillis = 13, 60_000
		reader.send(7, parked)

		answers := make(chan string, 3)
		for what, cl := range map[string]*client{"all": writer, "again": again} {
			go func() {
				p := onePartition(t, receive[*kmsg.ProduceResponse](cl, all))
				if p.ErrorCode != 0 || p.BaseOffset != 1 {
					t.Errorf("%s: %+v", what, p)
				}
				answers <- what
			}()
		}
		go func() {
			if p := oneFetched(t, receive[*kmsg.FetchResponse](reader, parked)); len(offsets(t, p.RecordBatches)) == 0 {
				t.Errorf("woken for nothing: %+v", p)
			}
			answers <- "fetch"
		}()
		synctest.Wait()
		if len(answers) != 0 {
			t.Errorf("%s answered before the flush", <-answers)
		}
		held.Open()
		for range 3 {
			<-answers
		}
		mustCode(t, "acks=1", onePartition(t, receive[*kmsg.ProduceResponse](loose, one)).ErrorCode, nil)
		if got := end(reader, "t"); got != 3 {
			t.Errorf("latest %d", got)
		}
	})
}

// A repeat is answered like the first one, also when the first one's flush fails.
func TestRepeatOfALostBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		writer, again := b.dial(), b.dial()
		b.disk.Add(vfs.Rule{Op: vfs.OpSync, Name: walFiles, Err: syscall.EIO})
		held := b.disk.Gate(vfs.OpSync, walFiles)
		req := versioned(produceTo("t", id, -1, b.from(kafka.ProducerSpec{ID: 5}, "a")))
		writer.send(7, req)
		<-held.Arrived()
		again.send(7, req)
		synctest.Wait()
		held.Open()
		for _, c := range []*client{writer, again} {
			p := onePartition(t, receive[*kmsg.ProduceResponse](c, req))
			if p.ErrorCode != kerr.KafkaStorageError.Code || p.BaseOffset != -1 || p.LogStartOffset != -1 {
				t.Errorf("%+v", p)
			}
		}
	})
}

// A disk that fails: the request that met it and every one after it get
// KAFKA_STORAGE_ERROR, whatever their acks; acks=0 closes; reads go on; after a
// restart on a good disk what was acknowledged is there.
func TestProduceToAFailedDisk(t *testing.T) {
	t.Parallel()
	// The first file is the one in use; the second may be in the making.
	const inUse = "00000001.wal"
	for what, rule := range map[string]vfs.Rule{
		"sync":  {Op: vfs.OpSync, Name: inUse, Err: syscall.EIO, Times: 1},
		"write": {Op: vfs.OpWrite, Name: inUse, Err: syscall.EIO, Times: 1, Written: 700},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newDataBench(t, nil)
			id := b.topic("t", 2)
			c := b.dial()
			b.put(c, "t", "good", "also good")
			b.disk.Add(rule)
			versions(t, keyProduce, func(t *testing.T, version int16) {
				for _, acks := range []int16{-1, 1} {
					resp := ask[*kmsg.ProduceResponse](c, produceTo("t", id, acks, b.batch("lost"), b.batch("lost")), version)
					for _, p := range resp.Topics[0].Partitions {
						if p.ErrorCode != kerr.KafkaStorageError.Code || p.BaseOffset != -1 || p.LogStartOffset != -1 {
							t.Errorf("acks %d: %+v", acks, p)
						}
					}
				}
			})
			mustCode(t, "delete", ask[*kmsg.DeleteRecordsResponse](c, deleteTo("t", 1), 2).Topics[0].Partitions[0].ErrorCode, kerr.KafkaStorageError)
			p := oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom("t", id, 0), 13))
			if got := offsets(t, p.RecordBatches); len(got) != 2 || p.HighWatermark != 2 || p.ErrorCode != 0 {
				t.Errorf("read: %v, %+v", got, p)
			}
			if got := end(c, "t"); got != 2 {
				t.Errorf("latest %d", got)
			}
			c.send(8, versioned(produceTo("t", id, 0, b.batch("lost"))))
			c.mustBeClosed()
			b.kill()
			c = b.dial()
			if got := end(c, "t"); got < 2 {
				t.Errorf("after the restart: %d", got)
			}
			p = oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom("t", id, 0), 13))
			if got := offsets(t, p.RecordBatches); len(got) < 2 {
				t.Errorf("after the restart: %v", got)
			}
			b.put(c, "t", "goes on")
		})
	}
}

// Gotcha: a full disk refuses records with KAFKA_STORAGE_ERROR, goes on with reads
// and deletions, and takes records again when there is room.
func TestProduceToAFullDisk(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 1)
	c := b.dial()
	b.put(c, "t", "a", "b")
	b.mem.SetSpace(b.mem.Used() + 1<<20) // below the reserve
	look := func() {
		if err := b.broker.Store.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	look()
	for _, acks := range []int16{-1, 1} {
		mustCode(t, "full", produced(c, produceTo("t", id, acks, b.batch("c")), 9).ErrorCode, kerr.KafkaStorageError)
	}
	if p := oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom("t", id, 0), 13)); len(offsets(t, p.RecordBatches)) != 2 {
		t.Errorf("%+v", p)
	}
	if p := ask[*kmsg.DeleteRecordsResponse](c, deleteTo("t", 1), 2).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.LowWatermark != 1 {
		t.Errorf("%+v", p)
	}
	b.mem.SetSpace(1 << 40)
	look()
	if at := b.put(c, "t", "c"); at != 2 {
		t.Errorf("at %d", at)
	}
}
