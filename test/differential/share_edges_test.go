package differential

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What random share groups leave out, as the two brokers differ in it, one group for each.
func TestShareGroupEdges(t *testing.T) {
	compare(t, func(s *script) {
		w := newWorld(s.side)
		w.begin(s.run, s.base)
		defer w.end()
		w.sharesStep(&dice{})
		w.lines, w.thin = nil, nil
		ref := func(slot int, partition int32) []kmsg.ShareFetchRequestTopic {
			return []kmsg.ShareFetchRequestTopic{{TopicID: w.ids[slot], Partitions: []kmsg.ShareFetchRequestTopicPartition{{Partition: partition, PartitionMaxBytes: 1 << 20}}}}
		}
		acks := func(session int32, types int8, times int) *kmsg.ShareAcknowledgeRequest {
			req := kmsg.NewPtrShareAcknowledgeRequest()
			name := w.groupName(0)
			req.GroupID, req.MemberID, req.ShareSessionEpoch, req.IsRenewAck = &name, &sharers[0], session, types == 4
			p := kmsg.NewShareAcknowledgeRequestTopicPartition()
			for range times {
				p.AcknowledgementBatches = append(p.AcknowledgementBatches, kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{FirstOffset: 0, LastOffset: 0, AcknowledgeTypes: []int8{types}})
			}
			req.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: w.ids[0], Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{p}}}
			return req
		}
		unknown := w.shareFetch(0, sharers[1], 0)
		unknown.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: [16]byte{15: 99}, Partitions: []kmsg.ShareFetchRequestTopicPartition{{PartitionMaxBytes: 1 << 20}}}}
		w.note("a topic that is not there", unknown, 1)
		mode := w.shareFetch(0, sharers[1], 0)
		mode.Topics, mode.ShareAcquireMode = ref(0, 0), 2
		w.note("an acquire mode that is none", mode, 2)
		soft := w.shareFetch(0, sharers[0], 0)
		soft.Topics, soft.MaxRecords = ref(0, 0), 1
		w.note("at most one", soft, 2)
		w.note("renewed twice", acks(1, 4, 2), 2)
		w.note("accepted twice", acks(2, 1, 2), 2)
		w.note("accepted once", acks(3, 1, 1), 2)
		w.note("leaves", w.shareHeartbeat(0, sharers[0], -1), 1)
		after := w.shareFetch(0, sharers[0], 4)
		w.note("who has left fetches", after, 1)
		one := w.shareFetch(1, sharers[0], 0)
		one.Topics, one.MaxRecords, one.ShareAcquireMode = ref(0, 0), 1, 1
		w.note("one record", one, 2)
		nobodys := acks(1, 1, 1)
		name := w.groupName(1)
		nobodys.GroupID = &name
		b := &nobodys.Topics[0].Partitions[0].AcknowledgementBatches[0]
		b.FirstOffset, b.LastOffset = 1, 1
		w.askAs(w.ofBegun(1, 0, 0, 1), "records that nobody holds", nobodys, 2)
		all := w.shareFetch(0, sharers[1], 0)
		all.Topics = ref(1, 0)
		w.note("all of another topic", all, 2)
		member := sharers[1]
		for session, to := range []int64{2, 4} {
			done := acks(int32(session+1), 1, 1)
			done.MemberID, done.Topics[0].TopicID = &member, w.ids[1]
			done.Topics[0].Partitions[0].AcknowledgementBatches[0].LastOffset = to
			w.ask(fmt.Sprint("accepted, to ", to), done, 2)
		}
		w.epoch = 0 // what is told of a topic that is not there has none, whatever others begin with
		offsets := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
		rg := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
		rg.GroupID = w.groupName(0)
		rg.Topics = []kmsg.DescribeShareGroupOffsetsRequestGroupTopic{{Topic: "nosuch-" + w.run, Partitions: []int32{0}}}
		offsets.Groups = append(offsets.Groups, rg)
		w.note("offsets of a topic that is not there", offsets, 1)
		s.lines = w.lines
	})
}
