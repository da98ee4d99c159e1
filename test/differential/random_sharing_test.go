package differential

import (
	"cmp"
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
	if w.afresh[place{group, slot, partition}] {
		return // Kafka begins with it some time after somebody joins
	}
	rp := kmsg.NewShareFetchRequestTopicPartition()
	rp.Partition, rp.PartitionMaxBytes = partition, 1<<20
	topic, kind := w.idOf(slot), ""
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
			batches, said := w.acknowledgements(d, group, &m, false, slot, rp.Partition, &req.IsRenewAck)
			for _, b := range batches {
				rp.AcknowledgementBatches = append(rp.AcknowledgementBatches, kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch(b))
				kind = w.ofBegun(group, slot, rp.Partition, b.LastOffset)
			}
			what += said
			if len(batches) > 0 && slices.Contains(batches[0].AcknowledgeTypes, 2) {
				// Whether it gets at once what it gives back is a matter of time in both.
				rp.AcknowledgementBatches, req.IsRenewAck = nil, false
				what += ", which is left out"
			}
		}
		req.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: topic, Partitions: []kmsg.ShareFetchRequestTopicPartition{rp}}}
		if w.name == "kafka" && !w.cached[place{group, slot, rp.Partition}] {
			req.MaxWaitMillis = 500 // it reads its state first
		}
		w.cached[place{group, slot, rp.Partition}] = session >= 0
	}
	resp, _ := w.askAs(kind, what, req, version).(*kmsg.ShareFetchResponse)
	if resp != nil && resp.ErrorCode == 0 {
		m.next(session)
		w.took(group, &m, resp)
	}
	w.sharing[group][id] = m
}

// took notes which records have come.
func (w *world) took(group int, m *sharer, resp *kmsg.ShareFetchResponse) {
	for _, t := range resp.Topics {
		slot := slices.Index(w.ids[:], t.TopicID)
		for _, p := range t.Partitions {
			for _, a := range p.AcquiredRecords {
				m.taken = append(m.taken, acquired{slot, p.Partition, a.FirstOffset, a.LastOffset})
				at := place{group, slot, p.Partition}
				w.reached[at] = max(w.reached[at], a.LastOffset+1)
			}
		}
	}
	slices.SortStableFunc(m.taken, func(a, b acquired) int { // brokers answer in any order
		return cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(a.partition, b.partition))
	})
}

// place is a partition of a share group.
type place struct {
	group, slot int
	partition   int32
}

// ofBegun is what a request is told apart by whose range ends behind all that the group
// has had of a partition, in a batch of which it has had some: such records may be in
// Kafka's cache (TestShareGroupEdges).
func (w *world) ofBegun(group, slot int, partition int32, last int64) string {
	reached := w.reached[place{group, slot, partition}]
	for _, end := range w.batchEnds[place{slot: slot, partition: partition}] {
		if end >= reached-1 && reached > 0 {
			if last >= reached && last <= end {
				return " of a batch that was begun"
			}
			return ""
		}
	}
	return ""
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
func (w *world) acknowledgements(d *dice, group int, m *sharer, good bool, slot int, partition int32, renews *bool) (batches []kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch, label string) {
	if !w.cached[place{group, slot, partition}] {
		return nil, "" // what nobody has fetched since Kafka dropped its cache is not there for it
	}
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
		return nil, "" // no second mistake
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
	rp.AcknowledgementBatches, said = w.acknowledgements(d, group, &m, where != "", slot, partition, &req.IsRenewAck)
	what += said + " " + where
	switch where {
	case "nosuch partition":
		rp.Partition = 7
	case "nosuch topic":
		topic = [16]byte{15: 99}
	}
	kind := ""
	if where != "none" && len(rp.AcknowledgementBatches) > 0 {
		kind = w.ofBegun(group, slot, rp.Partition, rp.AcknowledgementBatches[0].LastOffset)
		req.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: topic, Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{rp}}}
	}
	resp, _ := w.askAs(kind, what, req, d.version(1, 2)).(*kmsg.ShareAcknowledgeResponse)
	if resp != nil && resp.ErrorCode == 0 {
		m.next(session)
	}
	w.sharing[group][id] = m
}
