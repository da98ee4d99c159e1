package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/cli"
)

// place is a partition on the way to its stop.
type place struct {
	next  int64 // the offset that is read next
	until int64 // the first offset that is not read any more
}

// partitionsReader reads partitions from one offset to another.
type partitionsReader struct {
	cl     *kgo.Client
	adm    *kadm.Client
	places map[string]map[int32]*place
	open   int // places with next < until
}

// partitionSource reads partitions directly, with no group.
func (a *app) partitionSource(ctx context.Context, o consumeOptions, topics []string, from cli.Offset) (recordSource, error) {
	// Control records are not written, but they move a partition on to its stop.
	cl, err := a.client(ctx, o.isolation(), kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return recordSource{}, err
	}
	r := &partitionsReader{cl: cl, adm: kadm.NewClient(cl)}
	if err := r.plan(ctx, o, topics, from); err != nil {
		cl.Close()
		return recordSource{}, err
	}
	return recordSource{
		cl:       cl,
		wanted:   r.wanted,
		finished: r.finished,
		written:  func(context.Context, []*kgo.Record) error { return nil },
	}, nil
}

// plan finds where to begin and to stop, and begins.
func (r *partitionsReader) plan(ctx context.Context, o consumeOptions, topics []string, from cli.Offset) error {
	begins, err := resolveSpans(ctx, r.adm, topics, o.partitions, from, o.committed)
	if err != nil {
		return err
	}
	until := map[string]map[int32]int64{}
	if o.to != "" {
		to, err := cli.ParseOffset(o.to, time.Now())
		if err != nil {
			return err
		}
		ends, err := resolveSpans(ctx, r.adm, topics, o.partitions, to, o.committed)
		if err != nil {
			return err
		}
		for _, s := range ends {
			put(until, s.topic, s.partition, min(s.at, s.end))
		}
	}
	r.places = map[string]map[int32]*place{}
	offsets := map[string]map[int32]kgo.Offset{}
	for _, s := range begins {
		// Beyond what is there the nearest end is meant.
		p := &place{next: min(max(s.at, s.start), s.end), until: math.MaxInt64}
		if u, ok := until[s.topic][s.partition]; ok {
			p.until = u
		}
		put(r.places, s.topic, s.partition, p)
		if p.next < p.until {
			r.open++
			put(offsets, s.topic, s.partition, kgo.NewOffset().At(p.next))
		}
	}
	r.cl.AddConsumePartitions(offsets)
	return nil
}

func put[V any](m map[string]map[int32]V, topic string, partition int32, v V) {
	if m[topic] == nil {
		m[topic] = map[int32]V{}
	}
	m[topic][partition] = v
}

func (r *partitionsReader) wanted(rec *kgo.Record) bool {
	p := r.places[rec.Topic][rec.Partition]
	if rec.Offset >= p.until {
		r.advance(rec.Topic, rec.Partition, p, rec.Offset)
		return false
	}
	r.advance(rec.Topic, rec.Partition, p, rec.Offset+1)
	return !rec.Attrs.IsControl()
}

// advance notes that everything before next has been read.
func (r *partitionsReader) advance(topic string, partition int32, p *place, next int64) {
	if p.next >= p.until {
		return // already there
	}
	if p.next = next; p.next >= p.until {
		r.open--
		r.cl.PauseFetchPartitions(map[string][]int32{topic: {partition}})
	}
}

// finished implements recordSource. While nothing comes, it looks whether the
// offsets before a stop hold no records: compaction takes them out, and then no
// record will ever tell that the stop is reached.
func (r *partitionsReader) finished(ctx context.Context, idle bool) (bool, error) {
	if r.open == 0 || !idle {
		return r.open == 0, nil
	}
	for topic, parts := range r.places {
		for partition, p := range parts {
			if p.next >= p.until || p.until == math.MaxInt64 {
				continue
			}
			next, err := r.peek(ctx, topic, partition, p.next)
			if err != nil {
				return false, err
			}
			if next >= p.until {
				r.advance(topic, partition, p, next)
			}
		}
	}
	return r.open == 0, nil
}

// peek asks the leader what stands at offset and returns the offset after the
// batches it answers with that hold no records; the high watermark if there is
// nothing at all; offset if there are records, which the client will deliver.
func (r *partitionsReader) peek(ctx context.Context, topic string, partition int32, offset int64) (int64, error) {
	details, err := r.adm.ListTopicsWithInternal(ctx, topic)
	if err != nil {
		return 0, err
	}
	leader := details[topic].Partitions[partition].Leader
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes, req.SessionEpoch = 0, 1<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic, details[topic].ID
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, r.cl.Broker(int(leader)))
	if err != nil {
		return 0, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return offset, nil
	}
	got := resp.Topics[0].Partitions[0]
	switch err := kerr.ErrorForCode(got.ErrorCode); {
	case kerr.IsRetriable(err):
		return offset, nil // the next look will tell
	case err != nil:
		return 0, fmt.Errorf("%s partition %d: %w", topic, partition, err)
	case len(got.RecordBatches) == 0:
		return got.HighWatermark, nil
	}
	return afterEmpty(got.RecordBatches, offset), nil
}

// Places in the header of a record batch v2.
const (
	batchLength     = 8  // int32, bytes that follow it
	lastOffsetDelta = 23 // int32
	recordCount     = 57 // int32
	batchHeader     = 61
)

// afterEmpty returns the offset after the leading batches of b that hold no
// records (compaction keeps them for their producer's sequence), at least offset.
func afterEmpty(b []byte, offset int64) int64 {
	for len(b) >= batchHeader && binary.BigEndian.Uint32(b[recordCount:]) == 0 {
		base := int64(binary.BigEndian.Uint64(b))
		offset = max(offset, base+int64(binary.BigEndian.Uint32(b[lastOffsetDelta:]))+1)
		size := batchLength + 4 + int(binary.BigEndian.Uint32(b[batchLength:]))
		if size < batchHeader || size > len(b) {
			break
		}
		b = b[size:]
	}
	return offset
}
