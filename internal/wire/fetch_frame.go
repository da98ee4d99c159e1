package wire

import (
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/plog"
)

// spliceFrom is the size from which on records go out by themselves; fewer are copied
// among the rest, for each piece costs more than its bytes then.
const spliceFrom = 4 << 10

// appendFetch is appendReply for answers to Fetch. It encodes them without kmsg,
// which wants all records in memory, and compares each partition's tagged fields by
// reflection. The records are those given, one for each partition of the answer, or,
// without any, those in it. What a plain answer never has (KIP-951's leaders,
// snapshots) is left to kmsg: ok is false then. The error is one of reading records.
func appendFetch(b []byte, splices []splice, correlationID int32, resp *kmsg.FetchResponse, records []plog.Records) (_ []byte, _ []splice, ok bool, err error) {
	if records == nil && !plainFetch(resp) {
		return b, splices, false, nil
	}
	start := len(b)
	e := fetchEncoder{b: append(b, 0, 0, 0, 0), splices: splices, version: resp.Version, flexible: resp.IsFlexible(), from: records}
	e.i32(correlationID)
	e.noTags()
	e.i32(resp.ThrottleMillis)
	if e.version >= 7 {
		e.i16(resp.ErrorCode)
		e.i32(resp.SessionID)
	}
	e.length(len(resp.Topics))
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if e.version >= 13 {
			e.b = append(e.b, t.TopicID[:]...)
		} else {
			e.text(t.Topic)
		}
		e.length(len(t.Partitions))
		for j := range t.Partitions {
			e.partition(&t.Partitions[j])
		}
		e.noTags()
	}
	e.noTags()
	size := len(e.b) - start - 4
	for _, s := range e.splices[len(splices):] {
		size += s.records.Size()
	}
	binary.BigEndian.PutUint32(e.b[start:], uint32(size))
	return e.b, e.splices, true, e.err
}

// plainFetch reports whether appendFetch knows all that the answer has.
func plainFetch(resp *kmsg.FetchResponse) bool {
	if resp.Version < 4 || len(resp.Brokers) > 0 || resp.UnknownTags.Len() > 0 {
		return false
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.UnknownTags.Len() > 0 {
			return false
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if p.CurrentLeader.LeaderID != -1 || p.CurrentLeader.LeaderEpoch != -1 || p.CurrentLeader.UnknownTags.Len() > 0 ||
				p.SnapshotID.EndOffset != -1 || p.SnapshotID.Epoch != -1 || p.SnapshotID.UnknownTags.Len() > 0 ||
				p.DivergingEpoch.UnknownTags.Len() > 0 || p.UnknownTags.Len() > 0 {
				return false
			}
		}
	}
	return true
}

// fetchEncoder writes the fields of a Fetch answer, v4 to v18.
type fetchEncoder struct {
	b        []byte
	splices  []splice
	version  int16
	flexible bool
	from     []plog.Records // of the partitions that come
	err      error
}

func (e *fetchEncoder) i16(v int16) { e.b = binary.BigEndian.AppendUint16(e.b, uint16(v)) }
func (e *fetchEncoder) i32(v int32) { e.b = binary.BigEndian.AppendUint32(e.b, uint32(v)) }
func (e *fetchEncoder) i64(v int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }

// length is that of an array or of bytes; -1 is null.
func (e *fetchEncoder) length(n int) {
	if e.flexible {
		e.b = binary.AppendUvarint(e.b, uint64(n+1))
	} else {
		e.i32(int32(n))
	}
}

func (e *fetchEncoder) text(s string) {
	if e.flexible {
		e.b = binary.AppendUvarint(e.b, uint64(len(s)+1))
	} else {
		e.i16(int16(len(s)))
	}
	e.b = append(e.b, s...)
}

func (e *fetchEncoder) noTags() {
	if e.flexible {
		e.b = append(e.b, 0)
	}
}

func (e *fetchEncoder) partition(p *kmsg.FetchResponseTopicPartition) {
	e.i32(p.Partition)
	e.i16(p.ErrorCode)
	e.i64(p.HighWatermark)
	e.i64(p.LastStableOffset)
	if e.version >= 5 {
		e.i64(p.LogStartOffset)
	}
	if p.AbortedTransactions == nil {
		e.length(-1)
	} else {
		e.length(len(p.AbortedTransactions))
	}
	for i := range p.AbortedTransactions {
		e.i64(p.AbortedTransactions[i].ProducerID)
		e.i64(p.AbortedTransactions[i].FirstOffset)
		e.noTags()
	}
	if e.version >= 11 {
		e.i32(p.PreferredReadReplica)
	}
	if e.from == nil {
		e.bytes(p.RecordBatches)
	} else {
		e.records(&e.from[0])
		e.from = e.from[1:]
	}
	if !e.flexible {
		return
	}
	if d := &p.DivergingEpoch; d.Epoch != -1 || d.EndOffset != -1 {
		e.b = append(e.b, 1, 0, 4+8+1) // one tagged field, number 0, its size
		e.i32(d.Epoch)
		e.i64(d.EndOffset)
	}
	e.b = append(e.b, 0)
}

func (e *fetchEncoder) bytes(data []byte) {
	if data == nil {
		e.length(-1)
		return
	}
	e.length(len(data))
	e.b = append(e.b, data...)
}

func (e *fetchEncoder) records(r *plog.Records) {
	n := r.Size()
	e.length(n)
	if n >= spliceFrom {
		e.splices = append(e.splices, splice{len(e.b), r})
		return
	}
	at := len(e.b)
	e.b = slices.Grow(e.b, n)[:at+n]
	if n > 0 && e.err == nil {
		_, e.err = r.ReadAt(e.b[at:], 0)
	}
	r.Release()
}
