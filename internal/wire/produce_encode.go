package wire

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// appendProduce is appendReply for answers to Produce, without kmsg's comparison of
// tagged fields by reflection. An answer with tagged fields is left to kmsg: ok is
// false then.
func appendProduce(b []byte, correlationID int32, resp *kmsg.ProduceResponse) (_ []byte, ok bool) {
	if !plainProduce(resp) {
		return b, false
	}
	start := len(b)
	e := fetchEncoder{b: append(b, 0, 0, 0, 0), version: resp.Version, flexible: resp.IsFlexible()}
	e.i32(correlationID)
	e.noTags()
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
			e.produced(&t.Partitions[j])
		}
		e.noTags()
	}
	e.i32(resp.ThrottleMillis)
	e.noTags()
	binary.BigEndian.PutUint32(e.b[start:], uint32(len(e.b)-start-4))
	return e.b, true
}

// plainProduce reports whether appendProduce knows all that the answer has.
func plainProduce(resp *kmsg.ProduceResponse) bool {
	if resp.Version < 3 || len(resp.Brokers) > 0 || resp.UnknownTags.Len() > 0 {
		return false
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.UnknownTags.Len() > 0 {
			return false
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if p.CurrentLeader.LeaderID != -1 || p.CurrentLeader.LeaderEpoch != -1 || p.CurrentLeader.UnknownTags.Len() > 0 || p.UnknownTags.Len() > 0 {
				return false
			}
		}
	}
	return true
}

func (e *fetchEncoder) produced(p *kmsg.ProduceResponseTopicPartition) {
	e.i32(p.Partition)
	e.i16(p.ErrorCode)
	e.i64(p.BaseOffset)
	e.i64(p.LogAppendTime)
	if e.version >= 5 {
		e.i64(p.LogStartOffset)
	}
	if e.version >= 8 {
		e.length(len(p.ErrorRecords))
		for i := range p.ErrorRecords {
			e.i32(p.ErrorRecords[i].RelativeOffset)
			e.maybeText(p.ErrorRecords[i].ErrorMessage)
			e.noTags()
		}
		e.maybeText(p.ErrorMessage)
	}
	e.noTags()
}

// maybeText is a string that may be null.
func (e *fetchEncoder) maybeText(s *string) {
	switch {
	case s != nil:
		e.text(*s)
	case e.flexible:
		e.b = append(e.b, 0)
	default:
		e.i16(-1)
	}
}
