package differential

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// Steps of share groups (KIP-932, KIP-1222). What a broker does in its own time is waited
// for: a group's assignment, and the beginning of each partition's state.

// shareOps are the kinds of steps of random share groups.
var shareOps = []op{
	{"setup", 0, (*world).sharesStep},
	{"join", 4, (*world).shareJoinStep},
	{"heartbeat", 6, (*world).shareBeatStep},
	{"leave", 3, (*world).shareLeaveStep},
	{"describe", 4, (*world).shareDescribeStep},
	{"fetch", 26, (*world).shareFetchStep},
	{"acknowledge", 24, (*world).shareAcknowledgeStep},
	{"produce", 6, (*world).shareProduceStep},
	{"fetch several", 12, (*world).shareSeveralStep},
	{"describe offsets", 4, (*world).describeShareOffsetsStep},
	{"alter offsets", 3, (*world).alterShareOffsetsStep},
	{"delete offsets", 2, (*world).deleteShareOffsetsStep},
	{"config", 1, (*world).groupConfigStep},
	{"describe config", 1, (*world).describeGroupConfigStep},
	{"describe groups", 2, (*world).describeGroupsStep},
	{"classic commit", 1, (*world).commitStep},
	{"consumer heartbeat", 1, (*world).consumerBeatStep},
}

// sharer is a member of a share group and its session.
type sharer struct {
	joined  bool
	epoch   int32
	topics  []int
	session int32      // the epoch that its next request has
	taken   []acquired // in the order in which they came
}

// acquired are records that a member has.
type acquired struct {
	slot        int
	partition   int32
	first, last int64
}

// sharers are the members' ids, which have to be UUIDs.
var sharers = [2]string{shareID("a"), shareID("b")}

func shareID(name string) string {
	var id [16]byte
	copy(id[:], "share-member-"+name)
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// shareParts are the partitions of the first topics.
var shareParts = [2]int32{2, 1}

// sharesStep is how such a sequence begins: with records in each partition, and in each
// group a member that has had one of each, so that all is known to the brokers.
func (w *world) sharesStep(d *dice) {
	w.thin = withoutChance
	w.setupStep(d)
	w.batchEnd(0, 0, 2)
	w.batchEnd(0, 0, 5)
	for p := range shareParts[0] {
		w.shareProduce(0, p, "d", "e")
	}
	w.shareProduce(1, 0, "f", "g", "h")
	for g := range groups {
		w.setGroupConfig(g, "share.auto.offset.reset", "earliest")
		w.sharing[g] = map[string]sharer{}
	}
	w.settle()
	for g := range groups {
		w.shareJoin(g, sharers[0], []int{0, 1})
		for slot, n := range shareParts {
			for p := range n {
				w.shareOnce(g, slot, p, 0)
			}
		}
	}
}

// withoutChance leaves out what goes by chance in Kafka: which of several members has which
// partitions of a group, and the partitions of a share fetch that say nothing, which are
// in some answers and not in others.
func withoutChance(resp kmsg.Response) {
	if g, ok := resp.(*kmsg.ShareGroupDescribeResponse); ok {
		for i := range g.Groups {
			for j := range g.Groups[i].Members {
				if len(g.Groups[i].Members) > 1 { // by the order of hash tables over ids that are random
					g.Groups[i].Members[j].Assignment.TopicPartitions = nil
				}
			}
		}
	}
	if o, ok := resp.(*kmsg.DescribeShareGroupOffsetsResponse); ok {
		for _, g := range o.Groups {
			for _, t := range g.Topics {
				for i, p := range t.Partitions {
					if p.StartOffset == -1 && p.LeaderEpoch == 0 { // it is none, whatever the topic's is
						t.Partitions[i].LeaderEpoch = -1
					}
				}
			}
		}
	}
	f, ok := resp.(*kmsg.ShareFetchResponse)
	if !ok {
		return
	}
	for i := range f.Topics {
		t := &f.Topics[i]
		for j := range t.Partitions {
			t.Partitions[j].AcquiredRecords = joined(t.Partitions[j].AcquiredRecords)
		}
		t.Partitions = slices.DeleteFunc(t.Partitions, func(p kmsg.ShareFetchResponseTopicPartition) bool {
			return p.ErrorCode == 0 && p.AcknowledgeErrorCode == 0 && len(p.Records) == 0 && len(p.AcquiredRecords) == 0
		})
	}
	f.Topics = slices.DeleteFunc(f.Topics, func(t kmsg.ShareFetchResponseTopic) bool { return len(t.Partitions) == 0 })
	if len(f.Topics) == 0 {
		f.Topics = nil
	}
}

// joined puts ranges together that follow on each other and have been delivered as often:
// Kafka cuts them where its cache does.
func joined(in []kmsg.ShareFetchResponseTopicPartitionAcquiredRecord) (out []kmsg.ShareFetchResponseTopicPartitionAcquiredRecord) {
	for _, a := range in {
		if n := len(out); n > 0 && out[n-1].LastOffset+1 == a.FirstOffset && out[n-1].DeliveryCount == a.DeliveryCount {
			out[n-1].LastOffset = a.LastOffset
			continue
		}
		out = append(out, a)
	}
	return out
}

// shareOnce takes the first record that a group has to have, and gives it back. Until it is
// that one Kafka has another in its cache, and hears of it by what is given back.
func (w *world) shareOnce(group, slot int, partition int32, first int64) {
	w.t.Helper()
	at := place{group, slot, partition}
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		req := w.shareFetch(group, shareID("first"), 0)
		req.MaxWaitMillis, req.MaxRecords, req.ShareAcquireMode = 500, 1, 1
		req.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: w.ids[slot], Partitions: []kmsg.ShareFetchRequestTopicPartition{{Partition: partition, PartitionMaxBytes: 1 << 20}}}}
		resp := ask[*kmsg.ShareFetchResponse](w.side, req, 2)
		end := kmsg.NewPtrShareAcknowledgeRequest()
		end.GroupID, end.MemberID, end.ShareSessionEpoch = req.GroupID, req.MemberID, -1
		got := int64(-1)
		if len(resp.Topics) == 1 && len(resp.Topics[0].Partitions) == 1 && len(resp.Topics[0].Partitions[0].AcquiredRecords) == 1 {
			got = resp.Topics[0].Partitions[0].AcquiredRecords[0].FirstOffset
			end.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: w.ids[slot], Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{{
				Partition: partition, AcknowledgementBatches: []kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{{FirstOffset: got, LastOffset: got, AcknowledgeTypes: []int8{2}}}}}}}
		}
		ask[*kmsg.ShareAcknowledgeResponse](w.side, end, 1)
		if last = fmt.Sprintf("it had %d, with error %d, %v", got, resp.ErrorCode, resp.Topics); got == first {
			w.reached[at], w.cached[at] = max(w.reached[at], first+1), true
			return
		}
	}
	w.t.Fatalf("%s: a share group never gets record %d of t%d/%d after %s; at last %s", w.name, first, slot, partition, w.label, last)
}

// shareAfresh is shareOnce for the partitions whose offsets were deleted and which somebody
// wants again: Kafka begins with them some time after they are assigned.
func (w *world) shareAfresh(group int) {
	for _, m := range w.sharing[group] {
		for _, slot := range m.topics {
			for p := range shareParts[slot] {
				if at := (place{group, slot, p}); m.joined && w.afresh[at] {
					delete(w.afresh, at)
					w.shareOnce(group, slot, p, 0)
				}
			}
		}
	}
}

func (w *world) shareFetch(group int, member string, session int32) *kmsg.ShareFetchRequest {
	req := kmsg.NewPtrShareFetchRequest()
	name := w.groupName(group)
	req.GroupID, req.MemberID, req.ShareSessionEpoch = &name, &member, session
	req.MinBytes, req.MaxBytes, req.MaxRecords, req.BatchSize = 1, 1<<20, 500, 500
	return req
}

func (w *world) shareHeartbeat(group int, member string, epoch int32) *kmsg.ShareGroupHeartbeatRequest {
	req := kmsg.NewPtrShareGroupHeartbeatRequest()
	req.GroupID, req.MemberID, req.MemberEpoch = w.groupName(group), member, epoch
	return req
}

// shareJoin takes a member in, and waits until the group has settled.
func (w *world) shareJoin(group int, member string, slots []int) {
	req := w.shareHeartbeat(group, member, 0)
	for _, s := range slots {
		req.SubscribedTopicNames = append(req.SubscribedTopicNames, w.topicName(s))
	}
	resp := ask[*kmsg.ShareGroupHeartbeatResponse](w.side, req, 1)
	w.say("joins", fmt.Sprint(resp.ErrorCode))
	if resp.ErrorCode == 0 {
		m := w.sharing[group][member]
		m.joined, m.epoch, m.topics = true, resp.MemberEpoch, slots
		w.sharing[group][member] = m
		w.shareSettle(group)
		w.shareAfresh(group)
	}
}

// shareSettle has the members of a group ask until all is assigned and nothing changes
// any more; the epoch is what others are compared with. Kafka counts some on the way.
func (w *world) shareSettle(group int) {
	w.t.Helper()
	want := map[string]bool{}
	for _, m := range w.sharing[group] {
		for _, slot := range m.topics {
			for p := range shareParts[slot] {
				want[fmt.Sprint(slot, p)] = m.joined || want[fmt.Sprint(slot, p)]
			}
		}
	}
	maps.DeleteFunc(want, func(_ string, wanted bool) bool { return !wanted })
	describe := kmsg.NewPtrShareGroupDescribeRequest()
	describe.GroupIDs = []string{w.groupName(group)}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, id := range slices.Sorted(maps.Keys(w.sharing[group])) {
			if m := w.sharing[group][id]; m.joined {
				resp := ask[*kmsg.ShareGroupHeartbeatResponse](w.side, w.shareHeartbeat(group, id, m.epoch), 1)
				if resp.ErrorCode != 0 {
					w.t.Fatalf("%s: a member of a share group is refused: error %d", w.name, resp.ErrorCode)
				}
				m.epoch = resp.MemberEpoch
				w.sharing[group][id] = m
			}
		}
		g := ask[*kmsg.ShareGroupDescribeResponse](w.side, describe, 1).Groups[0]
		has, same := map[string]bool{}, true
		for _, m := range g.Members {
			same = same && m.MemberEpoch == g.GroupEpoch
			for _, t := range m.Assignment.TopicPartitions {
				for _, p := range t.Partitions {
					has[fmt.Sprint(slices.Index(w.ids[:], t.TopicID), p)] = true
				}
			}
		}
		same = same && (g.GroupEpoch == g.AssignmentEpoch || len(g.Members) == 0)
		if same && maps.Equal(has, want) {
			w.settled[group] = g.GroupEpoch
			return
		}
	}
	w.t.Fatal(w.name, ": a share group never settles after ", w.label)
}

func (w *world) shareProduce(slot int, partition int32, values ...string) {
	req := produce(w.topicName(slot), w.ids[slot], -1, w.batch(kafka.BatchSpec{}, values...))
	req.Topics[0].Partitions[0].Partition = partition
	resp, _ := w.ask(fmt.Sprintf("t%d/%d x%d", slot, partition, len(values)), req, 9).(*kmsg.ProduceResponse)
	if resp != nil {
		w.batchEnd(slot, partition, resp.Topics[0].Partitions[0].BaseOffset+int64(len(values))-1)
	}
}

func (w *world) batchEnd(slot int, partition int32, last int64) {
	at := place{slot: slot, partition: partition}
	w.batchEnds[at] = append(w.batchEnds[at], last)
}

func (w *world) shareProduceStep(d *dice) {
	slot := d.n(2)
	w.shareProduce(slot, int32(d.n(int(shareParts[slot]))), []string{"x", "y", "z", "u"}[:1+d.n(4)]...)
}

// sharer is a member to speak for.
func (w *world) sharer(d *dice) (group int, id, label string) {
	group = d.n(groups)
	k := pick(d, 0, 0, 1)
	return group, sharers[k], fmt.Sprintf("g%d %c", group, 'a'+k)
}

// beatShare sends a heartbeat whose epochs are compared with the settled one.
func (w *world) beatShare(group int, what string, req *kmsg.ShareGroupHeartbeatRequest) *kmsg.ShareGroupHeartbeatResponse {
	w.counted = w.settled[group]
	defer func() { w.counted = 0 }()
	resp, _ := w.ask(what, req, 1).(*kmsg.ShareGroupHeartbeatResponse)
	return resp
}

func (w *world) shareJoinStep(d *dice) {
	group, id, label := w.sharer(d)
	switch bad := pick(d, "", "", "no group", "no member", "no topics", "blank rack", "epoch -2", "epoch 7"); bad {
	case "":
		if m := w.sharing[group][id]; !m.joined {
			w.label = label + " joins"
			w.shareJoin(group, id, pick(d, []int{0, 1}, []int{0}, []int{0, 1}))
		}
	default:
		req := w.shareHeartbeat(group, id, 0)
		req.SubscribedTopicNames = []string{w.topicName(0)}
		switch bad {
		case "no group":
			req.GroupID = ""
		case "no member":
			req.MemberID = ""
		case "no topics":
			req.SubscribedTopicNames = nil
		case "blank rack":
			req.RackID = kmsg.StringPtr("")
		case "epoch -2":
			req.MemberEpoch = -2
		case "epoch 7":
			req.MemberID, req.MemberEpoch = shareID("nobody"), 7
		}
		w.beatShare(group, label+" joins with "+bad, req)
	}
}

func (w *world) shareBeatStep(d *dice) {
	group, id, label := w.sharer(d)
	m := w.sharing[group][id]
	how := pick(d, "itself", "itself", "itself", "itself", "the next epoch", "epoch 77")
	req := w.shareHeartbeat(group, id, m.epoch)
	switch how {
	case "the next epoch":
		req.MemberEpoch++
	case "epoch 77":
		req.MemberEpoch = 77
	}
	if !m.joined {
		req.MemberEpoch = 3
	}
	if m.joined && how == "itself" && d.one(4) {
		slots := pick(d, []int{0, 1}, []int{0}, []int{1})
		req.SubscribedTopicNames = nil
		for _, s := range slots {
			req.SubscribedTopicNames = append(req.SubscribedTopicNames, w.topicName(s))
		}
		resp := ask[*kmsg.ShareGroupHeartbeatResponse](w.side, req, 1)
		w.label = fmt.Sprintf("%s wants %v", label, slots)
		w.say("wants", fmt.Sprint(resp.ErrorCode))
		m.epoch, m.topics = resp.MemberEpoch, slots
		w.sharing[group][id] = m
		w.shareSettle(group)
		w.shareAfresh(group)
		req = w.shareHeartbeat(group, id, w.sharing[group][id].epoch)
	}
	w.beatShare(group, label+" beats as "+how, req)
}

func (w *world) shareLeaveStep(d *dice) {
	group, id, label := w.sharer(d)
	w.shareLeave(group, id, label)
}

// shareEnd ends the session of a member, which accepts what it has.
func (w *world) shareEnd(group int, id string) (m sharer) {
	m = w.sharing[group][id]
	w.rest(group, id, &m)
	end := kmsg.NewPtrShareAcknowledgeRequest()
	name := w.groupName(group)
	end.GroupID, end.MemberID, end.ShareSessionEpoch = &name, &id, -1
	ask[*kmsg.ShareAcknowledgeResponse](w.side, end, 1)
	m.session, m.taken = 0, nil
	w.sharing[group][id] = m
	return m
}

// shareLeave ends a member's session, as clients do (else: TestShareGroupEdges), and
// takes it out of the group.
func (w *world) shareLeave(group int, id, label string) {
	m := w.shareEnd(group, id)
	resp := w.beatShare(group, label+" leaves", w.shareHeartbeat(group, id, -1))
	if resp != nil && resp.ErrorCode == 0 {
		m.joined = false
		w.sharing[group][id] = m
		w.shareSettle(group)
	}
}

func (w *world) shareDescribeStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrShareGroupDescribeRequest()
	req.GroupIDs = []string{w.groupName(group)}
	if d.one(3) {
		req.GroupIDs = append(req.GroupIDs, pick(d, "nosuch-"+w.run, ""))
	}
	req.IncludeAuthorizedOperations = d.one(3)
	w.counted = w.settled[group]
	kind := ""
	if !w.shared(group) {
		kind = " of nobody"
	}
	w.askAs(kind, fmt.Sprintf("g%d of %d", group, len(req.GroupIDs)), req, 1)
	w.counted = 0
}
