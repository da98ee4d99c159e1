package differential

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Steps of groups: offsets of simple ones, and the life of the one member of a
// classic one. Two members on one connection would wait for each other.

// asWho is the member and generation that a request claims: mostly the true ones.
func (w *world) asWho(d *dice, group int) (id string, generation int32, label string) {
	m := w.members[group]
	switch pick(d, "true", "true", "true", "true", "nobody", "wrong member", "wrong generation") {
	case "nobody":
		return "", -1, "nobody"
	case "wrong member":
		return "somebody", m.generation, "a wrong member"
	case "wrong generation":
		return m.id, m.generation + 3, "a wrong generation"
	}
	return m.id, m.generation, "itself"
}

func (w *world) commitStep(d *dice) {
	group := d.n(groups)
	topic, id, label := w.topicOf(d)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = w.groupName(group)
	var who string
	req.MemberID, req.Generation, who = w.asWho(d, group)
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic, rt.TopicID = topic, id
	what := fmt.Sprintf("g%d as %s %s", group, who, label)
	for range 1 + d.n(2) {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.LeaderEpoch = partitionOf(d), int64(d.n(20)), pick(d, -1, w.epoch)
		rp.Metadata = pick(d, nil, kmsg.StringPtr(""), kmsg.StringPtr("note"))
		rt.Partitions = append(rt.Partitions, rp)
		what += fmt.Sprintf(" /%d=%d", rp.Partition, rp.Offset)
	}
	req.Topics = append(req.Topics, rt)
	w.ask(what, req, d.version(2, 10))
}

func (w *world) fetchOffsetsStep(d *dice) {
	version := d.version(1, 10)
	topic, id, label := w.topicOf(d)
	group := d.n(groups)
	all := d.one(3) && version >= 2
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.RequireStable = w.groupName(group), d.one(2)
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = req.Group
	if !all {
		wanted := []int32{0, 1, 2, 7}
		req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: topic, Partitions: wanted}}
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.TopicID, gt.Partitions = topic, id, wanted
		rg.Topics = append(rg.Topics, gt)
	}
	req.Groups = append(req.Groups, rg)
	what := fmt.Sprintf("g%d %s all %v", group, label, all)
	if version >= 8 && d.one(2) { // several groups, each with topics of its own
		more := kmsg.NewOffsetFetchRequestGroup()
		more.Group = pick(d, w.groupName(1-group), w.groupName(1-group), w.groupName(1-group), "nosuch-"+w.run)
		what += " and " + more.Group[:2]
		for slot := range 1 + d.n(slots) {
			gt := kmsg.NewOffsetFetchRequestGroupTopic()
			gt.Topic, gt.TopicID, gt.Partitions = w.topicName(slot), w.idOf(slot), []int32{0, 1}
			more.Topics = append(more.Topics, gt)
			what += fmt.Sprint(" t", slot)
		}
		req.Groups = append(req.Groups, more)
	}
	w.ask(what, req, version)
}

func (w *world) deleteOffsetsStep(d *dice) {
	topic, _, label := w.topicOf(d)
	group := d.n(groups)
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = w.groupName(group)
	rt := kmsg.NewOffsetDeleteRequestTopic()
	rt.Topic = topic
	for range 1 + d.n(2) {
		rt.Partitions = append(rt.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: partitionOf(d)})
	}
	req.Topics = append(req.Topics, rt)
	w.ask(fmt.Sprintf("g%d %s%v", group, label, rt.Partitions), req, 0)
}

func (w *world) describeGroupsStep(d *dice) {
	group := d.n(groups)
	switch d.n(3) {
	case 0:
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups, req.IncludeAuthorizedOperations = []string{w.groupName(group), "nosuch-" + w.run}, d.one(2)
		w.ask(fmt.Sprintf("g%d and one that is not there", group), req, d.version(0, 6))
	case 1:
		req := kmsg.NewPtrListGroupsRequest()
		req.StatesFilter = pick(d, nil, []string{"Empty"}, []string{"Stable"}, []string{"Dead", "stable"}, []string{"CompletingRebalance"})
		req.TypesFilter = pick(d, nil, []string{"classic"}, []string{"consumer"})
		w.ask(fmt.Sprintf("%q %q", req.StatesFilter, req.TypesFilter), req, d.version(0, 5))
	case 2:
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey, req.CoordinatorKeys = w.groupName(group), []string{w.groupName(group), ""}
		req.CoordinatorType = pick[int8](d, 0, 0, 0, 7)
		w.ask(fmt.Sprintf("g%d of type %d", group, req.CoordinatorType), req, d.version(0, 5))
	}
}

func (w *world) deleteGroupStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{w.groupName(group)}
	w.ask(fmt.Sprint("g", group), req, d.version(0, 2))
}

// joinStep joins as the member there is, else as a new one: so that nobody waits.
func (w *world) joinStep(d *dice) {
	group := d.n(groups)
	m := &w.members[group]
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.MemberID = w.groupName(group), 60_000, 60_000, m.id
	req.ProtocolType = "consumer"
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("meta")}, {Name: pick(d, "roundrobin", "sticky"), Metadata: []byte("data")}}
	what := fmt.Sprintf("g%d as %q", group, map[bool]string{true: "nobody", false: "itself"}[m.id == ""])
	switch d.n(12) {
	case 9:
		req.SessionTimeoutMillis, what = pick[int32](d, 1, 100_000_000), what+" with a bad timeout"
	case 10:
		if m.id == "" {
			break // see TestJoinWithoutProtocols
		}
		req.Protocols, what = nil, what+" without protocols"
	case 11:
		if w.modern[group] {
			break // see TestRefusedJoinOfAnEmptyGroup
		}
		req.MemberID, what = "somebody", what+" but says somebody"
	}
	version := d.version(0, 9)
	resp, _ := w.ask(what, req, version).(*kmsg.JoinGroupResponse)
	if resp == nil || req.MemberID == "somebody" {
		return
	}
	if resp.ErrorCode == 79 && resp.MemberID != "" { // MEMBER_ID_REQUIRED: join with the id that it gave
		req.MemberID = resp.MemberID
		resp, _ = w.ask("with the id", req, version).(*kmsg.JoinGroupResponse)
	}
	if resp != nil && resp.ErrorCode == 0 {
		*m = member{resp.MemberID, resp.Generation}
	}
}

func (w *world) syncStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group = w.groupName(group)
	var who string
	req.MemberID, req.Generation, who = w.asWho(d, group)
	version := d.version(0, 5)
	req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	if d.one(8) {
		req.Protocol = kmsg.StringPtr("other")
	}
	req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: req.MemberID, MemberAssignment: []byte{1, 2, 3}}}
	w.ask(fmt.Sprintf("g%d as %s by %s", group, who, *req.Protocol), req, version)
}

func (w *world) heartbeatStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group = w.groupName(group)
	var who string
	req.MemberID, req.Generation, who = w.asWho(d, group)
	w.ask(fmt.Sprintf("g%d as %s", group, who), req, d.version(0, 4))
}

func (w *world) leaveStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = w.groupName(group)
	var who string
	req.MemberID, _, who = w.asWho(d, group)
	req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	resp, _ := w.ask(fmt.Sprintf("g%d as %s", group, who), req, d.version(0, 5)).(*kmsg.LeaveGroupResponse)
	if resp == nil || resp.ErrorCode != 0 || req.MemberID != w.members[group].id {
		return
	}
	if len(resp.Members) == 0 || resp.Members[0].ErrorCode == 0 {
		w.members[group] = member{generation: -1}
	}
}
