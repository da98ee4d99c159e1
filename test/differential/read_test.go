package differential

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// filled makes a topic with three batches: offsets 0-2, 3-4 (gzip), 5.
func (s *script) filled(name string, partitions int32, configs ...string) (string, [16]byte) {
	s.t.Helper()
	full, id := s.topic(name, partitions, configs...)
	for _, b := range [][]byte{s.batch(kafka.BatchSpec{}, "a", "b", "c"), s.batch(kafka.BatchSpec{Codec: kafka.CodecGzip}, "d", "e"), s.batch(kafka.BatchSpec{}, "f")} {
		ask[*kmsg.ProduceResponse](s.side, produce(full, id, -1, b), 9)
	}
	return full, id
}

func TestFetch(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.filled("t", 2)
		for v := int16(4); v <= 18; v++ {
			l := func(what string) string { return fmt.Sprintf("%s v%d", what, v) }
			for _, offset := range []int64{0, 1, 4, 5, 6, 7, -1} {
				s.note(l(fmt.Sprint("from ", offset)), fetch(name, id, 0, offset), v)
			}
			committed := fetch(name, id, 0, 4)
			committed.IsolationLevel = 1
			s.note(l("read committed"), committed, v)
			s.note(l("unknown topic"), fetch("none", nobody, 0, 0), v)
			s.note(l("unknown partition"), fetch(name, id, 7, 0), v)
			s.note(l("empty partition"), fetch(name, id, 1, 0), v)
			small := fetch(name, id, 0, 0)
			small.Topics[0].Partitions[0].PartitionMaxBytes = 1
			s.note(l("first batch larger than the partition's limit"), small, v)
			small = fetch(name, id, 0, 0)
			small.MaxBytes = 1
			s.note(l("first batch larger than the limit"), small, v)
			two := fetch(name, id, 0, 0)
			two.Topics[0].Partitions[0].PartitionMaxBytes = 180
			s.note(l("as many as fit"), two, v)
			nothing := fetch(name, id, 0, 0)
			nothing.Topics = nil
			nothing.MaxWaitMillis, nothing.MinBytes = 60_000, 1
			s.note(l("nothing asked for"), nothing, v)
			for _, by := range []int32{0, 1} {
				epoch := fetch(name, id, 0, 0)
				epoch.Topics[0].Partitions[0].CurrentLeaderEpoch = s.epoch + by
				s.note(l(fmt.Sprint("leader epoch ", by)), epoch, v)
				epoch = fetch(name, id, 0, 5)
				epoch.Topics[0].Partitions[0].LastFetchedEpoch = s.epoch + by
				s.note(l(fmt.Sprint("last fetched epoch ", by)), epoch, v)
			}
			past := fetch(name, id, 0, 9)
			past.Topics[0].Partitions[0].LastFetchedEpoch = s.epoch
			s.note(l("past the end of the epoch"), past, v)
		}
	})
}

func TestFetchLimitsOverPartitions(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 3)
		b := s.batch(kafka.BatchSpec{}, "0123456789")
		ask[*kmsg.ProduceResponse](s.side, produce(name, id, -1, b, b, b), 9)
		ask[*kmsg.ProduceResponse](s.side, produce(name, id, -1, b, b, b), 9)
		for _, limit := range []int{1, len(b), len(b) + 1, 2 * len(b), 3*len(b) + 5, 100 * len(b)} {
			req := fetch(name, id, 0, 0)
			for p := int32(1); p < 3; p++ {
				more := req.Topics[0].Partitions[0]
				more.Partition = p
				req.Topics[0].Partitions = append(req.Topics[0].Partitions, more)
			}
			req.MaxBytes = int32(limit)
			s.note(fmt.Sprintf("%d of %d bytes", limit, len(b)), req, 13)
		}
	})
}

func TestFetchSessions(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.filled("t", 3)
		other, otherID := s.topic("other", 1)
		for _, v := range []int16{7, 12, 13, 17} {
			l := func(what string) string { return fmt.Sprintf("%s v%d", what, v) }
			session, epoch := int32(0), int32(0)
			step := func(what string, req *kmsg.FetchRequest) {
				req.SessionID, req.SessionEpoch = session, epoch
				if resp, ok := s.note(l(what), req, v).(*kmsg.FetchResponse); ok && resp.SessionID != 0 {
					session = resp.SessionID
				}
				epoch++
			}
			only := func() *kmsg.FetchRequest {
				req := fetch(name, id, 0, 0)
				req.Topics = nil
				return req
			}
			forget := func(topic string, id [16]byte, partitions ...int32) *kmsg.FetchRequest {
				req := only()
				ft := kmsg.NewFetchRequestForgottenTopic()
				ft.Topic, ft.TopicID, ft.Partitions = topic, id, partitions
				req.ForgottenTopics = append(req.ForgottenTopics, ft)
				return req
			}
			step("begin at the end", fetch(name, id, 0, s.end(name)))
			step("nothing new", only())
			step("another partition", fetch(name, id, 1, 0))
			step("another topic", fetch(other, otherID, 0, 0))
			step("nothing new again", only())
			ask[*kmsg.ProduceResponse](s.side, produce(name, id, -1, s.batch(kafka.BatchSpec{}, "new")), 9)
			step("a new record", only())
			step("the same record, not moved", only())
			step("moved", fetch(name, id, 0, s.end(name)))
			step("nothing new after all", only())
			step("unknown topic", fetch("none", nobody, 0, 0))
			step("unknown topic still", only())
			step("forget it", forget("none", nobody, 0))
			step("out of range", fetch(name, id, 1, 77))
			step("out of range still", only())
			step("back in range", fetch(name, id, 1, 0))
			step("forget two", forget(name, id, 0, 1))
			step("one is left", only())
			wrong := only()
			wrong.SessionID, wrong.SessionEpoch = session, epoch+5
			s.note(l("wrong epoch"), wrong, v)
			wrong.SessionID, wrong.SessionEpoch = 4711, 1
			s.note(l("unknown session"), wrong, v)
			if v == 12 {
				wrong.SessionID, wrong.SessionEpoch = session, epoch
				s.note(l("with topic ids now"), wrong, 13)
			}
			if v == 13 {
				wrong.SessionID, wrong.SessionEpoch = session, epoch
				s.note(l("with names now"), wrong, 12)
			}
			step("goes on", only())
			step("forget the last", forget(other, otherID, 0))
			step("it is gone", only())
			session, epoch = 0, 0
			step("begin again", fetch(name, id, 0, s.end(name)))
			last := only()
			last.SessionID, last.SessionEpoch = session, -1
			s.note(l("end it"), last, v)
			step("it is gone, too", only())
			session, epoch = 0, 0
			step("begin with nothing", only())
			step("go on with nothing", only())
		}
	})
}

// end is the high watermark of partition 0.
func (s *script) end(name string) int64 {
	return ask[*kmsg.ListOffsetsResponse](s.side, listOffsets(name, 0, -1, -1), 7).Topics[0].Partitions[0].Offset
}

// Requests of followers, which Leat has none of.
func TestReplicas(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.filled("t", 1)
		req := fetch(name, id, 0, 0)
		req.ReplicaID = 5
		s.note("fetch of a replica", req, 12)
		list := listOffsets(name, 0, -1, -1)
		list.ReplicaID = 5
		s.note("list offsets of a replica", list, 7)
	})
}

func TestListOffsets(t *testing.T) {
	compare(t, func(s *script) {
		name, _ := s.filled("t", 2)
		gone, _ := s.filled("gone", 1)
		ask[*kmsg.DeleteRecordsResponse](s.side, deleteRecords(gone, 0, -1), 2)
		late, lateID := s.topic("late", 1)
		later := kafka.Build(kafka.BatchSpec{Codec: kafka.CodecLZ4}, []kafka.Record{{Timestamp: s.base + 9}, {Timestamp: s.base + 300}, {Timestamp: s.base + 30}, {Timestamp: s.base + 300}})
		ask[*kmsg.ProduceResponse](s.side, produce(late, lateID, -1, later), 9)
		for v := int16(1); v <= 11; v++ {
			for _, special := range []int64{-1, -2, -3, -4, -5, -6, -7} {
				for topic, full := range map[string]string{"t": name, "gone": gone, "late": late} {
					s.note(fmt.Sprintf("%s %d v%d", topic, special, v), listOffsets(full, 0, special, -1), v)
				}
				s.note(fmt.Sprintf("empty %d v%d", special, v), listOffsets(name, 1, special, -1), v)
			}
			for _, at := range []int64{-10_000, 0, 1, 2, 3, 9, 10, 30, 31, 300, 301} {
				s.note(fmt.Sprintf("t at %d v%d", at, v), listOffsets(name, 0, s.base+at, -1), v)
				s.note(fmt.Sprintf("late at %d v%d", at, v), listOffsets(late, 0, s.base+at, -1), v)
				s.note(fmt.Sprintf("gone at %d v%d", at, v), listOffsets(gone, 0, s.base+at, -1), v)
			}
			s.note(fmt.Sprint("unknown topic v", v), listOffsets("none", 0, -1, -1), v)
			s.note(fmt.Sprint("unknown partition v", v), listOffsets(name, 9, -1, -1), v)
			for _, by := range []int32{0, 1} {
				s.note(fmt.Sprintf("leader epoch %+d v%d", by, v), listOffsets(name, 0, -1, s.epoch+by), v)
			}
			committed := listOffsets(name, 0, -1, -1)
			committed.IsolationLevel = 1
			s.note(fmt.Sprint("committed v", v), committed, v)
			twice := listOffsets(name, 0, -1, -1)
			twice.Topics[0].Partitions = append(twice.Topics[0].Partitions, twice.Topics[0].Partitions[0])
			s.note(fmt.Sprint("twice v", v), twice, v)
		}
	})
}

func deleteRecords(topic string, partition int32, offset int64) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 10_000
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Partition, rp.Offset = partition, offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

func TestDeleteRecords(t *testing.T) {
	compare(t, func(s *script) {
		compact, _ := s.filled("compact", 1, "cleanup.policy=compact")
		both, _ := s.filled("both", 1, "cleanup.policy=compact,delete")
		for v := int16(0); v <= 2; v++ {
			name, id := s.filled(fmt.Sprint("t", v), 1)
			for _, to := range []int64{0, 1, 4, 2, 7, -2, -1, 3, 6} {
				s.note(fmt.Sprintf("to %d v%d", to, v), deleteRecords(name, 0, to), v)
				s.note(fmt.Sprintf("fetch after %d v%d", to, v), fetch(name, id, 0, max(to, 0)), 13)
				s.note(fmt.Sprintf("earliest after %d v%d", to, v), listOffsets(name, 0, -2, -1), 7)
				s.note(fmt.Sprintf("by time after %d v%d", to, v), listOffsets(name, 0, s.base+1, -1), 7)
				s.note(fmt.Sprintf("newest after %d v%d", to, v), listOffsets(name, 0, -3, -1), 7)
			}
			s.note(fmt.Sprint("compact v", v), deleteRecords(compact, 0, 1), v)
			s.note(fmt.Sprint("compact and delete v", v), deleteRecords(both, 0, 1), v)
			s.note(fmt.Sprint("unknown topic v", v), deleteRecords("none", 0, 1), v)
			s.note(fmt.Sprint("unknown partition v", v), deleteRecords(name, 5, 1), v)
		}
	})
}

func TestOffsetForLeaderEpoch(t *testing.T) {
	compare(t, func(s *script) {
		name, _ := s.filled("t", 2)
		for v := int16(2); v <= 4; v++ {
			for _, topic := range []string{name, "none"} {
				for _, partition := range []int32{0, 1, 9} {
					for _, current := range []int32{-1, s.epoch, s.epoch + 1} {
						for _, epoch := range []int32{-1, s.epoch, s.epoch + 1, s.epoch + 7} {
							req := kmsg.NewPtrOffsetForLeaderEpochRequest()
							req.ReplicaID = -1
							rt := kmsg.NewOffsetForLeaderEpochRequestTopic()
							rt.Topic = topic
							rp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
							rp.Partition, rp.CurrentLeaderEpoch, rp.LeaderEpoch = partition, current, epoch
							rt.Partitions = append(rt.Partitions, rp)
							req.Topics = append(req.Topics, rt)
							s.note(fmt.Sprintf("%v/%d at %s, asked for %s v%d", topic == name, partition, s.relative(current), s.relative(epoch), v), req, v)
						}
					}
				}
			}
		}
	})
}
