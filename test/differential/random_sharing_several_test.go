package differential

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// shareSeveralStep takes records from several partitions at once, says what became of
// others, and has some forgotten. There is room for all that there is: of what has no room
// Kafka leaves out another partition each time.
func (w *world) shareSeveralStep(d *dice) {
	group, id, label := w.sharer(d)
	m := w.sharing[group][id]
	session, how := sessionOf(d, m)
	if session == -1 {
		w.rest(group, id, &m)
	}
	req := w.shareFetch(group, id, session)
	what, kind := fmt.Sprintf("%s fetches with %s", label, how), ""
	if w.name == "kafka" {
		req.MaxWaitMillis = 30
	}
	for slot, n := range shareParts {
		rt := kmsg.ShareFetchRequestTopic{TopicID: w.idOf(slot)}
		for p := range n {
			if !w.cached[place{group, slot, p}] {
				continue // Kafka may answer without it while it reads its state
			}
			switch pick(d, "fetch", "fetch", "fetch", "fetch and acknowledge", "fetch and acknowledge", "forget", "") {
			case "fetch":
				rt.Partitions = append(rt.Partitions, kmsg.ShareFetchRequestTopicPartition{Partition: p, PartitionMaxBytes: 1 << 20})
				what += fmt.Sprintf(" t%d/%d", slot, p)
			case "fetch and acknowledge":
				rp := kmsg.ShareFetchRequestTopicPartition{Partition: p, PartitionMaxBytes: 1 << 20}
				if session != 0 { // one mistake at a time
					batches, said, begun := w.severalAcknowledged(d, group, &m, slot, p)
					rp.AcknowledgementBatches, kind = batches, kind+begun
					what += said
				}
				rt.Partitions = append(rt.Partitions, rp)
				what += fmt.Sprintf(" t%d/%d", slot, p)
			case "forget":
				if session != 0 {
					req.ForgottenTopicsData = append(req.ForgottenTopicsData, kmsg.ShareFetchRequestForgottenTopicsData{TopicID: rt.TopicID, Partitions: []int32{p}})
					what += fmt.Sprintf(" without t%d/%d", slot, p)
				}
			}
		}
		if len(rt.Partitions) > 0 {
			req.Topics = append(req.Topics, rt)
		}
	}
	resp, _ := w.askAs(kind, what, req, d.version(1, 2)).(*kmsg.ShareFetchResponse)
	if resp != nil && resp.ErrorCode == 0 {
		m.next(session)
		w.took(group, &m, resp)
	}
	w.sharing[group][id] = m
}

// severalAcknowledged accepts or rejects, now and then with a mistake, so that what
// becomes of one partition shows in what is told of the others. Nothing is given back:
// whether that comes with the answer is a matter of time.
func (w *world) severalAcknowledged(d *dice, group int, m *sharer, slot int, partition int32) (batches []kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch, label, kind string) {
	at := slices.IndexFunc(m.taken, func(a acquired) bool { return a.slot == slot && a.partition == partition })
	a := acquired{slot, partition, 2, 3}
	if at >= 0 {
		a = m.taken[at]
	}
	b := kmsg.NewShareFetchRequestTopicPartitionAcknowledgementBatch()
	b.FirstOffset, b.LastOffset, b.AcknowledgeTypes = a.first, a.last, []int8{pick[int8](d, 1, 1, 1, 3, 0, 9)}
	switch pick(d, "", "", "", "first", "beyond") {
	case "first":
		b.LastOffset = b.FirstOffset
	case "beyond":
		b.LastOffset += 2
	}
	return append(batches, b), fmt.Sprintf(" acknowledges t%d/%d %d-%d as %v,", slot, partition, b.FirstOffset, b.LastOffset, b.AcknowledgeTypes), w.ofBegun(group, slot, partition, b.LastOffset)
}
