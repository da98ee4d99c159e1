package differential

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Steps of administrators: where share groups stand.

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

// deserted has all members of a group leave: its offsets can be changed then. Kafka drops
// what it has cached when a connection ends on which the group's only session was begun.
func (w *world) deserted(group int) {
	for g := range groups {
		for k, id := range sharers {
			if m := w.sharing[g][id]; m.joined && g == group {
				w.shareLeave(g, id, fmt.Sprintf("g%d %c", g, 'a'+k))
			} else {
				w.shareEnd(g, id)
			}
		}
	}
	ask[*kmsg.ShareFetchResponse](w.side, w.shareFetch(group, shareID("last"), 0), 1)
	clear(w.cached)
	w.nc.Close()
	w.dial()
}

// topicAndSome are a topic of a share group's and partitions of it, which may not be there.
func (w *world) topicAndSome(d *dice) (slot int, some []int32, label string) {
	slot = pick(d, 0, 0, 0, 1, 1, 2)
	some = []int32{pick[int32](d, 0, 0, 0, 0, 1, 7)}
	if d.one(3) {
		some = append(some, some[0]+1)
	}
	return slot, some, fmt.Sprintf(" t%d%v", slot, some)
}

func (w *world) alterShareOffsetsStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrAlterShareGroupOffsetsRequest()
	req.GroupID = pick(d, w.groupName(group), w.groupName(group), w.groupName(group), w.groupName(group), w.groupName(group), "", "made-"+w.run) // the last comes into being
	what := fmt.Sprintf("%q", req.GroupID[:min(2, len(req.GroupID))])
	if often := !d.one(4); req.GroupID == w.groupName(group) && (often || !w.shared(group)) {
		w.deserted(group)
	}
	slot, some, label := w.topicAndSome(d)
	for range 1 + d.n(2) {
		rt := kmsg.NewAlterShareGroupOffsetsRequestTopic()
		rt.Topic = w.topicName(slot)
		what += label
		for _, p := range some {
			rp := kmsg.AlterShareGroupOffsetsRequestTopicPartition{Partition: p, StartOffset: int64(d.n(6))}
			if ends := w.batchEnds[place{slot: slot, partition: p}]; len(ends) > 0 {
				rp.StartOffset %= ends[len(ends)-1] + 1
			}
			rt.Partitions = append(rt.Partitions, rp)
			what += fmt.Sprintf(" /%d=%d", p, rp.StartOffset)
		}
		req.Topics = append(req.Topics, rt)
		if slot != 0 {
			break
		}
		slot, some, label = 1, []int32{0}, " t1[0]"
	}
	resp, _ := w.ask(what, req, 0).(*kmsg.AlterShareGroupOffsetsResponse)
	if resp == nil || resp.ErrorCode != 0 || req.GroupID != w.groupName(group) {
		return
	}
	for _, rt := range req.Topics {
		for _, rp := range rt.Partitions {
			at := place{group, w.slotOf(rt.Topic), rp.Partition}
			for _, t := range resp.Topics {
				for _, p := range t.Partitions {
					if t.Topic == rt.Topic && p.Partition == rp.Partition && p.ErrorCode == 0 {
						w.reached[at] = rp.StartOffset
						delete(w.afresh, at)
						w.shareOnce(group, at.slot, at.partition, rp.StartOffset)
					}
				}
			}
		}
	}
}

// slotOf is the place of a topic's name.
func (w *world) slotOf(name string) int {
	slot := 0
	for slot < slots && w.topicName(slot) != name {
		slot++
	}
	return slot
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
	req.GroupID = pick(d, w.groupName(group), w.groupName(group), w.groupName(group), w.groupName(group), w.groupName(group), "", "nosuch-"+w.run)
	what := fmt.Sprintf("%q", req.GroupID[:min(2, len(req.GroupID))])
	if often := !d.one(4); req.GroupID == w.groupName(group) && (often || !w.shared(group)) {
		w.deserted(group)
	}
	for slot := range slots {
		if d.one(2) {
			req.Topics = append(req.Topics, kmsg.DeleteShareGroupOffsetsRequestTopic{Topic: w.topicName(slot)})
			what += fmt.Sprint(" t", slot)
		}
	}
	resp, _ := w.ask(what, req, 0).(*kmsg.DeleteShareGroupOffsetsResponse)
	if resp == nil || resp.ErrorCode != 0 || req.GroupID != w.groupName(group) {
		return
	}
	for _, t := range resp.Topics {
		if slot := w.slotOf(t.Topic); t.ErrorCode == 0 && slot < len(shareParts) {
			for p := range shareParts[slot] {
				at := place{group, slot, p}
				w.reached[at], w.afresh[at] = 0, true
			}
		}
	}
}
