package wire

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// shareFetchAnswer is an answer to ShareFetch whose records are not in it: they go
// from the log to the socket when it is their turn.
type shareFetchAnswer struct {
	*kmsg.ShareFetchResponse
	// records are those of the partitions, in the order in which partition made them;
	// at says where each partition of the answer has its own.
	records []plog.Records
	at      [][]int
	// topics and places say where a topic and a partition stand.
	topics map[kafka.UUID]int
	places map[broker.ShareRef]int
}

// partition returns the answer's place for a partition, the same one each time.
func (s *shareFetchAnswer) partition(ref broker.ShareRef) *kmsg.ShareFetchResponseTopicPartition {
	if s.topics == nil {
		s.topics, s.places = map[kafka.UUID]int{}, map[broker.ShareRef]int{}
	}
	i, ok := s.topics[ref.Topic]
	if !ok {
		i = len(s.Topics)
		s.topics[ref.Topic] = i
		t := kmsg.NewShareFetchResponseTopic()
		t.TopicID = ref.Topic
		s.Topics, s.at = append(s.Topics, t), append(s.at, nil)
	}
	t := &s.Topics[i]
	if j, ok := s.places[ref]; ok {
		return &t.Partitions[j]
	}
	s.places[ref] = len(t.Partitions)
	p := kmsg.NewShareFetchResponseTopicPartition()
	p.Partition = ref.Partition
	t.Partitions = append(t.Partitions, p)
	s.at[i] = append(s.at[i], len(s.records))
	s.records = append(s.records, plog.Records{})
	return &t.Partitions[len(t.Partitions)-1]
}

func (s *shareFetchAnswer) release() {
	for i := range s.records {
		s.records[i].Release()
	}
}

// appendShareFetch is appendFetch for ShareFetch, v1 to v2, which are flexible.
func appendShareFetch(b []byte, splices []splice, correlationID int32, s *shareFetchAnswer) ([]byte, []splice, error) {
	start := len(b)
	e := fetchEncoder{b: append(b, 0, 0, 0, 0), splices: splices, version: s.Version, flexible: true}
	e.i32(correlationID)
	e.noTags()
	e.i32(s.ThrottleMillis)
	e.i16(s.ErrorCode)
	e.nullable(s.ErrorMessage)
	e.i32(s.AcquisitionLockTimeoutMillis)
	e.length(len(s.Topics))
	for i := range s.Topics {
		t := &s.Topics[i]
		e.b = append(e.b, t.TopicID[:]...)
		e.length(len(t.Partitions))
		for j := range t.Partitions {
			p := &t.Partitions[j]
			e.i32(p.Partition)
			e.i16(p.ErrorCode)
			e.nullable(p.ErrorMessage)
			e.i16(p.AcknowledgeErrorCode)
			e.nullable(p.AcknowledgeErrorMessage)
			e.i32(p.CurrentLeader.LeaderID)
			e.i32(p.CurrentLeader.LeaderEpoch)
			e.noTags()
			e.records(&s.records[s.at[i][j]])
			e.length(len(p.AcquiredRecords))
			for _, g := range p.AcquiredRecords {
				e.i64(g.FirstOffset)
				e.i64(g.LastOffset)
				e.i16(g.DeliveryCount)
				e.noTags()
			}
			e.noTags()
		}
		e.noTags()
	}
	e.length(0) // node endpoints: there is nobody else
	e.noTags()
	size := len(e.b) - start - 4
	for _, sp := range e.splices[len(splices):] {
		size += sp.records.Size()
	}
	binary.BigEndian.PutUint32(e.b[start:], uint32(size))
	return e.b, e.splices, e.err
}

// nullable is text that may be null.
func (e *fetchEncoder) nullable(s *string) {
	if s == nil {
		e.length(-1)
		return
	}
	e.text(*s)
}
