package differential

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Steps that take records from share groups and say what became of them.

// sessionOf is the session epoch that a request has: mostly the next.
func sessionOf(d *dice, m sharer) (epoch int32, label string) {
	switch pick(d, "", "", "", "", "", "", "", "anew", "end", "wrong") {
	case "anew":
		return 0, "a new session"
	case "end":
		return -1, "the end of the session"
	case "wrong":
		return m.session + pick[int32](d, 1, 2, 70), "a wrong epoch"
	}
	return m.session, fmt.Sprint("epoch ", m.session)
}

// rest has a member accept what it may still have, before it ends its session: with Kafka
// others get what is given back some time after the answer.
func (w *world) rest(group int, id string, m *sharer) {
	for _, a := range m.taken {
		for offset := a.first; offset <= a.last && m.session > 0; offset++ {
			req := kmsg.NewPtrShareAcknowledgeRequest()
			name := w.groupName(group)
			req.GroupID, req.MemberID, req.ShareSessionEpoch = &name, &id, m.session
			req.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: w.ids[a.slot], Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{{
				Partition: a.partition, AcknowledgementBatches: []kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{{FirstOffset: offset, LastOffset: offset, AcknowledgeTypes: []int8{1}}}}}}}
			if ask[*kmsg.ShareAcknowledgeResponse](w.side, req, 1).ErrorCode == 0 {
				m.session++
			}
		}
	}
	m.taken = nil
}

func (w *world) shareFetchStep(d *dice) {
	group, id, label := w.sharer(d)
	m := w.sharing[group][id]
	session, how := sessionOf(d, m)
	if session == -1 {
		w.rest(group, id, &m)
	}
	req := w.shareFetch(group, id, session)
	version := d.version(1, 2)
	what := fmt.Sprintf("%s fetches with %s", label, how)
	if w.name == "kafka" {
		req.MaxWaitMillis = 30 // what was given back is free a moment later
	}
	req.BatchSize = pick[int32](d, 500, 500, 1, 2)
	if version >= 2 && d.one(2) { // the limit is a wish in the other mode: TestShareGroupEdges
		req.MaxRecords, req.ShareAcquireMode = pick[int32](d, 500, 1, 2, 3), 1
	}
	req.MaxBytes = pick[int32](d, 1<<20, 1<<20, 1<<20, 1)
	what += fmt.Sprintf(" records %d batch %d mode %d bytes %d", req.MaxRecords, req.BatchSize, req.ShareAcquireMode, req.MaxBytes)
	// One partition at a time: of several Kafka begins with another one each time.
	slot := d.n(2)
	partition := int32(d.n(int(shareParts[slot])))
	rp := kmsg.NewShareFetchRequestTopicPartition()
	rp.Partition, rp.PartitionMaxBytes = partition, 1<<20
	topic := w.idOf(slot)
	switch pick(d, "", "", "", "", "", "", "", "nosuch partition", "none") { // nosuch topic: TestShareGroupEdges
	case "nosuch partition":
		rp.Partition = 7
	case "none":
		topic = [16]byte{}
	}
	// The session goes on with this partition only.
	if session > 0 {
		for s, n := range shareParts {
			for p := range n {
				if s != slot || p != rp.Partition || topic != w.ids[s] {
					req.ForgottenTopicsData = append(req.ForgottenTopicsData, kmsg.ShareFetchRequestForgottenTopicsData{TopicID: w.ids[s], Partitions: []int32{p}})
				}
			}
		}
		for s := range shareParts {
			if rp.Partition != 7 || topic != w.ids[s] {
				req.ForgottenTopicsData = append(req.ForgottenTopicsData, kmsg.ShareFetchRequestForgottenTopicsData{TopicID: w.ids[s], Partitions: []int32{7}})
			}
		}
	}
	if topic != [16]byte{} {
		what += fmt.Sprintf(" t%d/%d", slot, rp.Partition)
		if d.one(3) && session != 0 && rp.Partition != 7 {
			batches, said := w.acknowledgements(d, &m, session == -1, slot, rp.Partition, &req.IsRenewAck)
			for _, b := range batches {
				rp.AcknowledgementBatches = append(rp.AcknowledgementBatches, kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch(b))
			}
			what += said
			if len(batches) > 0 && slices.Contains(batches[0].AcknowledgeTypes, 2) {
				// Whether it gets at once what it gives back is a matter of time in both.
				rp.AcknowledgementBatches, req.IsRenewAck = nil, false
				what += ", which is left out"
			}
		}
		req.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: topic, Partitions: []kmsg.ShareFetchRequestTopicPartition{rp}}}
	}
	resp, _ := w.ask(what, req, version).(*kmsg.ShareFetchResponse)
	if resp != nil && resp.ErrorCode == 0 {
		m.next(session)
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				for _, a := range p.AcquiredRecords {
					m.taken = append(m.taken, acquired{slices.Index(w.ids[:], t.TopicID), p.Partition, a.FirstOffset, a.LastOffset})
				}
			}
		}
	}
	w.sharing[group][id] = m
}

// next is the session after a request that was taken.
func (m *sharer) next(session int32) {
	switch session {
	case -1:
		m.session, m.taken = 0, nil
	case 0:
		m.session = 1
	default:
		m.session = session + 1
	}
}

// acknowledgements say something about records of a partition: mostly about some that the
// member has.
func (w *world) acknowledgements(d *dice, m *sharer, good bool, slot int, partition int32, renews *bool) (batches []kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch, label string) {
	var mine []acquired
	for _, a := range m.taken {
		if a.slot == slot && a.partition == partition {
			mine = append(mine, a)
		}
	}
	a := acquired{slot, partition, int64(d.n(6)), int64(d.n(8))}
	if len(mine) > 0 {
		a = mine[d.n(len(mine))]
	}
	kind := pick[int8](d, 1, 1, 1, 2, 2, 2, 3, 4, 4, 0, 5, -1)
	*renews = !good && kind == 4 != d.one(8)
	b := kmsg.NewShareAcknowledgeRequestTopicPartitionAcknowledgementBatch()
	b.FirstOffset, b.LastOffset, b.AcknowledgeTypes = a.first, a.last, []int8{kind}
	how := pick(d, "", "", "", "", "first", "last", "one by one", "beyond", "reversed", "too few types", "no types") // twice: TestShareGroupEdges
	switch how {
	case "first":
		b.LastOffset = b.FirstOffset
	case "last":
		b.FirstOffset = b.LastOffset
	case "one by one":
		for i := b.FirstOffset; i < b.LastOffset; i++ {
			b.AcknowledgeTypes = append(b.AcknowledgeTypes, pick[int8](d, 1, 2, kind))
		}
	case "beyond":
		b.LastOffset += 2
	case "reversed":
		b.FirstOffset, b.LastOffset = b.LastOffset+1, b.FirstOffset
	case "too few types":
		b.LastOffset += 2
		b.AcknowledgeTypes = []int8{kind, kind}
	case "no types":
		b.AcknowledgeTypes = []int8{}
	}
	if good && (len(mine) == 0 || kind < 1 || kind > 3 || how != "" && how != "first" && how != "last") {
		return nil, "" // no second mistake, and none at the end of a session: not compared
	}
	batches = append(batches, b)
	return batches, fmt.Sprintf(" acknowledges t%d/%d %d-%d as %v %s renewing %v", slot, partition, b.FirstOffset, b.LastOffset, b.AcknowledgeTypes, how, *renews)
}

func (w *world) shareAcknowledgeStep(d *dice) {
	group, id, label := w.sharer(d)
	m := w.sharing[group][id]
	session, how := sessionOf(d, m)
	if session == -1 {
		w.rest(group, id, &m)
	}
	req := kmsg.NewPtrShareAcknowledgeRequest()
	name := w.groupName(group)
	req.GroupID, req.MemberID, req.ShareSessionEpoch = &name, &id, session
	slot := d.n(2)
	partition := int32(d.n(int(shareParts[slot])))
	if len(m.taken) > 0 && !d.one(6) {
		a := m.taken[d.n(len(m.taken))]
		slot, partition = a.slot, a.partition
	}
	topic := w.ids[slot]
	what := fmt.Sprintf("%s with %s", label, how)
	rp := kmsg.NewShareAcknowledgeRequestTopicPartition()
	rp.Partition = partition
	where := pick(d, "", "", "", "", "", "", "", "nosuch partition", "nosuch topic", "none")
	var said string
	rp.AcknowledgementBatches, said = w.acknowledgements(d, &m, session == -1 || where != "", slot, partition, &req.IsRenewAck)
	what += said + " " + where
	switch where {
	case "nosuch partition":
		rp.Partition = 7
	case "nosuch topic":
		topic = [16]byte{15: 99}
	}
	if where != "none" && len(rp.AcknowledgementBatches) > 0 {
		req.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: topic, Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{rp}}}
	}
	resp, _ := w.ask(what, req, d.version(1, 2)).(*kmsg.ShareAcknowledgeResponse)
	if resp != nil && resp.ErrorCode == 0 {
		m.next(session)
	}
	w.sharing[group][id] = m
}

func (w *world) describeShareOffsetsStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	rg := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
	rg.GroupID = pick(d, w.groupName(group), w.groupName(group), w.groupName(group), "nosuch-"+w.run, "")
	what := fmt.Sprintf("%q", rg.GroupID[:min(2, len(rg.GroupID))])
	if rg.GroupID != w.groupName(group) || d.one(2) {
		rg.Topics = nil
		what += " all"
	} else { // what is not there: TestShareGroupEdges
		slot := d.n(2)
		rg.Topics = []kmsg.DescribeShareGroupOffsetsRequestGroupTopic{{Topic: w.topicName(slot), Partitions: []int32{0, 1}[:shareParts[slot]]}}
		what += " " + rg.Topics[0].Topic[:2]
	}
	req.Groups = append(req.Groups, rg)
	w.ask(what, req, d.version(0, 1))
}

// alterShareOffsetsStep asks for what is refused while the group has members.
func (w *world) alterShareOffsetsStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrAlterShareGroupOffsetsRequest()
	req.GroupID = pick(d, w.groupName(group), "")
	if !w.shared(group) && req.GroupID != "" {
		return // it would be done, with Kafka some time after the answer
	}
	rt := kmsg.NewAlterShareGroupOffsetsRequestTopic()
	rt.Topic = w.topicName(d.n(3))
	rt.Partitions = []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{Partition: pick[int32](d, 0, 7), StartOffset: int64(d.n(4)) - 1}}
	req.Topics = append(req.Topics, rt)
	w.ask(fmt.Sprintf("%q %v", req.GroupID[:min(2, len(req.GroupID))], rt.Partitions), req, 0)
}

func (w *world) shared(group int) bool {
	for _, m := range w.sharing[group] {
		if m.joined {
			return true
		}
	}
	return false
}

func (w *world) deleteShareOffsetsStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
	req.GroupID = pick(d, w.groupName(group), "nosuch-"+w.run, "")
	if !w.shared(group) && req.GroupID == w.groupName(group) {
		return // it would be done, with Kafka some time after the answer
	}
	req.Topics = []kmsg.DeleteShareGroupOffsetsRequestTopic{{Topic: w.topicName(d.n(3))}}
	w.ask(fmt.Sprintf("%q", req.GroupID[:min(2, len(req.GroupID))]), req, 0)
}
