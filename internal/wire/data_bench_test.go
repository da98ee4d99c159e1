package wire

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// benchAPI is the handlers over a broker in memory that syncs nothing: what is left
// is the cost of the keys themselves.
func benchAPI(b *testing.B, partitions int32) (*api, *Request) {
	b.Helper()
	br, err := broker.Open(broker.Config{FS: vfs.NewMem(), Dir: "/data", Relaxed: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(br.Abandon)
	if err := br.EnsureTopic(b.Context(), "t", partitions, nil); err != nil {
		b.Fatal(err)
	}
	srv, err := NewServer(Config{Broker: br, Listeners: []*Listener{{Name: "PLAINTEXT"}}})
	if err != nil {
		b.Fatal(err)
	}
	return srv.api, &Request{Ctx: b.Context(), Peer: &Peer{}}
}

func encoded(b *testing.B, reply Reply, out *outgoing) {
	q := newQueue(1, 1)
	q.put(slot{reply: reply.p})
	q.first()
	if reply.p.fail != nil {
		b.Fatal(reply.p.fail)
	}
	out.reset()
	if err := out.add(1, reply.p.resp); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkProduce is a request of one small batch for each of n partitions, from
// the decoded request to the encoded answer.
func BenchmarkProduce(b *testing.B) {
	for name, n := range map[string]int32{"1-partition": 1, "200-partitions": 200} {
		b.Run(name, func(b *testing.B) {
			a, r := benchAPI(b, n)
			batch := batchAt(kafka.BatchSpec{}, a.broker.Now().UnixMilli(), string(make([]byte, 100)))
			var batches [][]byte
			for range n {
				batches = append(batches, bytes.Clone(batch))
			}
			req := produceTo("t", kafka.UUID{}, 1, batches...)
			req.Version = 12
			var out outgoing
			b.ReportAllocs()
			for b.Loop() {
				encoded(b, a.produce(r, req), &out)
			}
		})
	}
}

// BenchmarkFetchSession is an incremental fetch of a session of many partitions, a
// few of which have moved and have a record each.
func BenchmarkFetchSession(b *testing.B) {
	const partitions, moved = 1000, 10
	a, r := benchAPI(b, partitions)
	var batches [][]byte
	for range partitions {
		batches = append(batches, batchAt(kafka.BatchSpec{}, a.broker.Now().UnixMilli(), "x"))
	}
	var out outgoing
	put := produceTo("t", kafka.UUID{}, -1, batches...)
	put.Version = 12
	encoded(b, a.produce(r, put), &out)
	first := fetchFrom("t", kafka.UUID{}, 0)
	first.Version, first.SessionEpoch = 12, 0
	first.Topics[0].Partitions = nil
	for p := range int32(partitions) {
		first.Topics[0].Partitions = append(first.Topics[0].Partitions, fetchPartition(p, 1))
	}
	reply := a.fetch(r, first)
	id := reply.p.resp.(*fetchAnswer).SessionID
	epoch := int32(0)
	b.ReportAllocs()
	for b.Loop() {
		epoch++
		req := fetchFrom("t", kafka.UUID{}, 0)
		req.Version, req.SessionID, req.SessionEpoch = 12, id, epoch
		req.Topics[0].Partitions = nil
		for i := range int32(moved) {
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetchPartition((epoch*moved+i)%partitions, int64(epoch+i)%2))
		}
		encoded(b, a.fetch(r, req), &out)
	}
}

// BenchmarkFetchSessionWaits is the turn of a consumer that keeps up with many
// partitions: its fetch waits, one of them gets a record, the answer is made.
func BenchmarkFetchSessionWaits(b *testing.B) {
	const partitions = 1000
	a, r := benchAPI(b, partitions)
	var out outgoing
	first := fetchFrom("t", kafka.UUID{}, 0)
	first.Version, first.SessionEpoch = 12, 0
	first.Topics[0].Partitions = nil
	for p := range int32(partitions) {
		first.Topics[0].Partitions = append(first.Topics[0].Partitions, fetchPartition(p, 0))
	}
	id := a.fetch(r, first).p.resp.(*fetchAnswer).SessionID
	batch := batchAt(kafka.BatchSpec{}, a.broker.Now().UnixMilli(), "x")
	ends := make([]int64, partitions)
	last := int32(-1)
	b.ReportAllocs()
	for epoch := int32(1); b.Loop(); epoch++ {
		req := fetchFrom("t", kafka.UUID{}, 0)
		req.Version, req.SessionID, req.SessionEpoch, req.MaxWaitMillis = 12, id, epoch, 60_000
		req.Topics = req.Topics[:0]
		if last >= 0 {
			rt := kmsg.NewFetchRequestTopic()
			rt.Topic, rt.Partitions = "t", []kmsg.FetchRequestTopicPartition{fetchPartition(last, ends[last])}
			req.Topics = append(req.Topics, rt)
		}
		reply := a.fetch(r, req)
		last = epoch % partitions
		ends[last]++
		if _, err := a.broker.Produce(b.Context(), a.broker.Partition("t", last), bytes.Clone(batch)); err != nil {
			b.Fatal(err)
		}
		for !reply.p.ready.Load() {
			runtime.Gosched()
		}
		encoded(b, reply, &out)
	}
}

// BenchmarkFetchSmallBatches reads a megabyte of batches of one record.
func BenchmarkFetchSmallBatches(b *testing.B) {
	a, r := benchAPI(b, 1)
	var out outgoing
	for range 10_000 {
		put := produceTo("t", kafka.UUID{}, 1, batchAt(kafka.BatchSpec{}, a.broker.Now().UnixMilli(), "0123456789012345678901234567890123456789"))
		put.Version = 12
		encoded(b, a.produce(r, put), &out)
	}
	b.ReportAllocs()
	for b.Loop() {
		req := fetchFrom("t", kafka.UUID{}, 0)
		req.Version = 12
		encoded(b, a.fetch(r, req), &out)
	}
}
