package raw

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchVersion is the last one before the flexible encoding; all peers have it.
const fetchVersion = 11

// Reader reads partitions of a topic over one connection, one request at a time as
// Kafka's clients do, and throws away what it read.
type Reader struct {
	conn *Conn
	req  *kmsg.FetchRequest
	at   map[int32]*kmsg.FetchRequestTopicPartition
}

// NewReader makes a Reader that starts at an offset of each partition and takes at
// most bytes of one partition in one answer (Kafka's default: 1 MiB).
func NewReader(conn *Conn, topic string, from map[int32]int64, bytes int32) *Reader {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = fetchVersion, -1, 500, 1, 50<<20
	req.SessionEpoch = -1 // no session
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	for p, o := range from {
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = p, o, bytes
		t.Partitions = append(t.Partitions, rp)
	}
	req.Topics = append(req.Topics, t)
	r := &Reader{conn: conn, req: req, at: map[int32]*kmsg.FetchRequestTopicPartition{}}
	for i := range req.Topics[0].Partitions {
		rp := &req.Topics[0].Partitions[i]
		r.at[rp.Partition] = rp
	}
	return r
}

// Seek sets the offset that the partition is read from next.
func (r *Reader) Seek(partition int32, offset int64) { r.at[partition].FetchOffset = offset }

// Offset is where the partition is read from next.
func (r *Reader) Offset(partition int32) int64 { return r.at[partition].FetchOffset }

// Fetch asks once. It returns how many records at or after the asked offsets came
// in whole batches, and the bytes of the answer.
func (r *Reader) Fetch() (records int64, bytes int64, err error) {
	if err := r.conn.Send(Encode(r.req)); err != nil {
		return 0, 0, err
	}
	body, err := r.conn.Receive()
	if err != nil {
		return 0, 0, err
	}
	var resp kmsg.FetchResponse
	resp.Version = fetchVersion
	if err := resp.ReadFrom(body); err != nil {
		return 0, 0, fmt.Errorf("answer to Fetch: %w", err)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return 0, 0, fmt.Errorf("fetch: %w", err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return 0, 0, fmt.Errorf("fetch %s/%d: %w", t.Topic, p.Partition, err)
			}
			at := r.at[p.Partition]
			if at == nil {
				return 0, 0, fmt.Errorf("fetch: an answer for partition %d, which was not asked for", p.Partition)
			}
			n, next, err := count(p.RecordBatches, at.FetchOffset)
			if err != nil {
				return 0, 0, fmt.Errorf("fetch %s/%d at %d: %w", t.Topic, p.Partition, at.FetchOffset, err)
			}
			records, at.FetchOffset = records+n, next
		}
	}
	return records, int64(len(body)), nil
}

// count walks the headers of whole batches: how many records are at or after want, and
// the offset that follows. The offsets must have no holes: nothing here is compacted.
func count(b []byte, want int64) (records, next int64, err error) {
	next = want
	for {
		n, first, last, ok := span(b)
		if !ok {
			return records, next, nil
		}
		b = b[n:]
		if last < next {
			continue // before what was asked for: a broker may begin with an earlier batch
		}
		if first > next {
			return 0, 0, fmt.Errorf("a batch at offset %d: want %d", first, next)
		}
		records += last + 1 - next
		next = last + 1
	}
}
