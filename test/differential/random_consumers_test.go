package differential

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Steps of groups of the consumer protocol (KIP-848): several members on one
// connection, as nobody waits for another one here. Regular expressions are looked up
// when the broker has time: they are in random_expressions_test.go.

// consumer is what a member of such a group knows.
type consumer struct {
	epoch    int32
	instance *string
	assignor *string
	has      map[int][]int32 // by topic, as it was told last
	other    bool            // it does not read what the group is for
}

// restarted are the ids that a static member comes again with. Kafka's assignors go by
// the order of its hash tables, ours by the order of the ids: with these, and with a, b
// and c, it is the same.
var restarted = map[string]string{"a": "a2", "b": "b4", "c": "c6", "a2": "a", "b4": "b", "c6": "c"}

// away is the epoch of a static member that has left for a while.
const away = -2

// consumerOps are the kinds of steps of random consumer groups.
var consumerOps = []op{
	{"setup", 0, (*world).consumersStep},
	{"join", 12, (*world).consumerJoinStep},
	{"heartbeat", 22, (*world).consumerBeatStep},
	{"leave", 5, heard((*world).consumerLeaveStep)},
	{"describe", 6, (*world).consumerDescribeStep},
	{"commit", 8, (*world).consumerCommitStep},
	{"fetch offsets", 5, (*world).consumerFetchStep},
	{"config", 2, (*world).groupConfigStep},
	{"describe config", 2, (*world).describeGroupConfigStep},
	{"commit as a classic member", 1, (*world).commitStep},
	{"fetch all offsets", 1, (*world).fetchOffsetsStep},
	{"delete offsets", 2, (*world).deleteOffsetsStep},
	{"describe groups", 3, (*world).describeGroupsStep},
	{"delete group", 2, (*world).deleteGroupStep},
	{"create", 2, heard((*world).createStep)},
	{"delete topic", 1, heard((*world).deleteStep)},
	{"partitions", 2, heard((*world).partitionsStep)},
	{"classic join", 1, (*world).joinEmptyStep},
	{"classic sync", 1, (*world).syncStep},
	{"classic heartbeat", 1, (*world).heartbeatStep},
	{"classic leave", 1, (*world).leaveStep},
}

// heard is a step that may change topics or take members away, after which the members
// of each group say something: Kafka thinks of an assignment then, Leat has done it before
// (TestConsumerGroupWithoutHeartbeat), and of two changes at once Kafka makes one epoch.
// Whoever is away cannot say anything, so that somebody else has to be left.
func heard(step func(*world, *dice)) func(*world, *dice) {
	return func(w *world, d *dice) {
		for _, crowd := range w.crowd {
			there, gone := 0, 0
			for _, m := range crowd {
				if m.epoch == away {
					gone++
				} else {
					there++
				}
			}
			if gone > 0 && there < 2 {
				return
			}
		}
		step(w, d)
		w.settle()
		for g, crowd := range w.crowd {
			for _, name := range slices.Sorted(maps.Keys(crowd)) {
				if m := crowd[name]; m.epoch != away {
					w.beatAs(fmt.Sprintf("g%d %s beats", g, name), w.heartbeat(g, name, m.epoch), 1, g)
				}
			}
		}
	}
}

// joinEmptyStep is joinStep for a group without members of the other protocol: with them,
// TestJoinThatCannotBeRead.
func (w *world) joinEmptyStep(d *dice) {
	if group := int(d.raw[0]) % groups; len(w.crowd[group]) == 0 {
		w.joinStep(d)
	}
}

// consumersStep is how such a sequence begins: every change is assigned at once, so that
// what is compared does not depend on the clock.
func (w *world) consumersStep(d *dice) {
	w.setupStep(d)
	for g := range groups {
		w.setGroupConfig(g, "consumer.assignment.interval.ms", "0")
	}
	w.settle()
	for g := range groups {
		w.assignsAtOnce(g)
	}
}

func (w *world) setGroupConfig(group int, name, value string) {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: w.groupName(group),
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}},
	}}
	w.change(fmt.Sprintf("g%d %s=%s", group, name, value), req, 1)
}

// assignsAtOnce waits until a group's coordinator knows the topics and the group's
// config, and leaves no group behind.
func (w *world) assignsAtOnce(group int) {
	w.t.Helper()
	beat := func(member string, epoch int32) *kmsg.ConsumerGroupHeartbeatResponse {
		req := w.heartbeat(group, member, epoch)
		if epoch == 0 {
			req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.Topics = 60_000, []string{w.topicName(0)}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		}
		return ask[*kmsg.ConsumerGroupHeartbeatResponse](w.side, req, 1)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		first, second := beat("first", 0), beat("second", 0)
		beat("first", -1)
		beat("second", -1)
		del := kmsg.NewPtrDeleteGroupsRequest()
		del.Groups = []string{w.groupName(group)}
		ask[*kmsg.DeleteGroupsResponse](w.side, del, 2)
		if first.Assignment != nil && len(first.Assignment.Topics) == 1 && second.MemberEpoch > first.MemberEpoch {
			return
		}
	}
	w.t.Fatal(w.name, ": a consumer group is never assigned anything")
}

func (w *world) heartbeat(group int, member string, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = w.groupName(group), member, epoch, -1
	return req
}

// subscription are the topics that a member wants: mostly the one that the group is
// for. Kafka's choice between partitions of several topics, or between three members
// that want different ones, goes by the order of its hash tables: what becomes of those
// is compared by count, in consumer_groups_test.go. false: nothing that it could want
// would leave no choice.
func (w *world) subscription(d *dice, group int, name string) (topics []string, label string, other, ok bool) {
	rest, others := 0, 0
	for n, m := range w.crowd[group] {
		if n != name {
			rest++
			if m.other {
				others++
			}
		}
	}
	if other = rest <= 1 && d.one(4); other && d.one(2) {
		return []string{w.topicName(2)}, "t2", true, true
	} else if other {
		return []string{}, "nothing", true, true
	}
	return []string{w.topicName(group)}, fmt.Sprint("t", group), false, rest <= 1 || others == 0
}

// someone is a member: mostly one that is in the group.
func (w *world) someone(d *dice, group int) string {
	name := pick(d, "a", "b", "c")
	if _, in := w.crowd[group][name]; in || d.one(4) {
		return name
	}
	ins := slices.Sorted(maps.Keys(w.crowd[group]))
	if len(ins) == 0 {
		return name
	}
	return ins[d.n(len(ins))]
}

func (w *world) consumerJoinStep(d *dice) {
	group, name := d.n(groups), pick(d, "a", "b", "c")
	if again := restarted[name]; w.crowd[group][again].epoch != 0 { // it has taken the place
		name = again
	}
	old, in := w.crowd[group][name]
	req := w.heartbeat(group, name, 0)
	req.RebalanceTimeoutMillis, req.Topics = 60_000, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	topics, label, other, ok := w.subscription(d, group, name)
	if !ok {
		return
	}
	req.SubscribedTopicNames = topics
	what := fmt.Sprintf("g%d %s joins for %s", group, name, label)
	req.InstanceID = pick(d, nil, nil, nil, kmsg.StringPtr("i0"), kmsg.StringPtr("i1"))
	// One wish in each group: of two that are equally many Kafka takes either.
	req.ServerAssignor = pick(d, nil, kmsg.StringPtr([groups]string{"uniform", "range"}[group]))
	if req.InstanceID != nil || other {
		req.ServerAssignor = nil // a wish that comes without a change of what is read: TestConsumerGroupAssignor
	}
	if in {
		// Whoever has an instance id already: TestConsumerGroupStatic.
		req.ServerAssignor = old.assignor
		if req.InstanceID = old.instance; old.instance != nil {
			// Another process; also while the first is there.
			req.MemberID = restarted[name]
		}
	}
	what += fmt.Sprintf(" instance %s assignor %s", text(req.InstanceID), text(req.ServerAssignor))
	version := d.version(0, 1)
	if d.one(4) {
		bad := pick(d, "no group", "no member", "blank instance", "blank rack", "a rack", "no rebalance time-out", "no partitions", "partitions", "no subscription",
			"an unknown assignor", "a bad expression", "epoch -3", "epoch 5", "static without a name", "a topic twice", "an empty expression")
		what += ", but " + bad
		switch bad {
		case "no group":
			req.Group = ""
		case "no member":
			req.MemberID, version = "", 1 // with v0 the broker makes one
		case "blank instance":
			req.InstanceID = kmsg.StringPtr(pick(d, "", " "))
		case "blank rack":
			req.RackID = kmsg.StringPtr(pick(d, "", " "))
		case "a rack":
			req.RackID = kmsg.StringPtr("r1")
		case "no rebalance time-out":
			req.RebalanceTimeoutMillis = -1
		case "no partitions":
			req.Topics = nil
		case "partitions":
			req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: w.ids[0], Partitions: []int32{0}})
		case "no subscription":
			req.SubscribedTopicNames = nil
		case "an unknown assignor":
			req.ServerAssignor = kmsg.StringPtr(pick(d, "best", ""))
		case "a bad expression":
			if len(w.crowd[group]) > 0 && req.InstanceID == nil { // not two mistakes, of which either may be told
				req.SubscribedTopicRegex = kmsg.StringPtr("(")
			}
		case "an empty expression":
			req.SubscribedTopicRegex = kmsg.StringPtr("")
		case "epoch -3":
			req.MemberEpoch = -3
		case "epoch 5":
			req.MemberEpoch = 5
		case "static without a name":
			req.MemberEpoch, req.InstanceID = -2, nil
		case "a topic twice":
			req.SubscribedTopicNames = append(topics, topics...)
		}
	}
	if resp := w.beatAs(what, req, version, group); resp != nil && req.MemberEpoch == 0 {
		m := w.crowd[group][req.MemberID]
		m.instance, m.assignor, m.other = req.InstanceID, req.ServerAssignor, other
		w.crowd[group][req.MemberID] = m
		if req.MemberID != name { // it has the place of the one before
			delete(w.crowd[group], name)
		}
	}
}

func text(s *string) string {
	if s == nil {
		return "none"
	}
	return fmt.Sprintf("%q", *s)
}

// beatAs sends a heartbeat and takes over what the member is told; nil if it is refused.
func (w *world) beatAs(what string, req *kmsg.ConsumerGroupHeartbeatRequest, version int16, group int) *kmsg.ConsumerGroupHeartbeatResponse {
	resp, _ := w.ask(what, req, version).(*kmsg.ConsumerGroupHeartbeatResponse)
	if resp == nil || resp.ErrorCode != 0 {
		return nil
	}
	m := w.crowd[group][req.MemberID]
	m.epoch = resp.MemberEpoch
	if resp.Assignment != nil {
		m.has = map[int][]int32{}
		for _, t := range resp.Assignment.Topics {
			for slot, id := range w.ids {
				if id == t.TopicID {
					m.has[slot] = t.Partitions
				}
			}
		}
	}
	if resp.MemberEpoch > 0 {
		w.crowd[group][req.MemberID], w.modern[group] = m, true
	}
	return resp
}

func (w *world) consumerBeatStep(d *dice) {
	group := d.n(groups)
	name := w.someone(d, group)
	m := w.crowd[group][name]
	taken := false
	how := pick(d, "itself", "itself", "itself", "itself", "itself", "itself", "the epoch before", "the next epoch", "epoch 77", "another instance", "epoch -4")
	req := w.heartbeat(group, name, m.epoch)
	switch how {
	case "the epoch before":
		req.MemberEpoch--
	case "the next epoch":
		req.MemberEpoch++
	case "epoch 77":
		req.MemberEpoch = 77
	case "epoch -4":
		req.MemberEpoch = -4
	case "another instance":
		req.InstanceID = kmsg.StringPtr("i9")
	}
	if req.MemberEpoch == 0 { // that would be a join
		req.MemberEpoch = 99
	}
	if m.epoch == away {
		req.MemberEpoch, how = 98, "epoch 98"
	}
	what := fmt.Sprintf("g%d %s beats as %s", group, name, how)
	owned := pick(d, "", "", "all", "all", "all", "none", "what it has not", "an unknown topic", "one less")
	if how == "the epoch before" && owned != "what it has not" {
		owned = "" // else: TestConsumerGroupEpochBefore
	}
	switch owned {
	case "":
	default:
		what += ", owns " + owned
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		if owned == "none" {
			break
		}
		for slot := range slots {
			has := m.has[slot]
			if owned == "one less" && len(has) > 0 {
				has = has[1:]
			}
			if owned == "what it has not" && slot == 0 {
				has = append(slices.Clone(has), 1, 9)
			}
			if len(has) > 0 {
				req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: w.idOf(slot), Partitions: has})
			}
		}
		if owned == "an unknown topic" {
			req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: [16]byte{15: 99}, Partitions: []int32{0}})
		}
	}
	if topics, label, other, ok := w.subscription(d, group, name); ok && d.one(5) {
		req.SubscribedTopicNames = topics
		what += ", wants " + label
		defer func() {
			if now, in := w.crowd[group][name]; in && taken {
				now.other = other
				w.crowd[group][name] = now
			}
		}()
	}
	if d.one(8) {
		req.RebalanceTimeoutMillis = pick[int32](d, 60_000, 50_000)
		what += fmt.Sprint(", rebalance time-out ", req.RebalanceTimeoutMillis)
	}
	if d.one(10) {
		req.RackID = pick(d, kmsg.StringPtr("r2"), kmsg.StringPtr(""))
		what += ", rack " + text(req.RackID)
	}
	taken = w.beatAs(what, req, d.version(0, 1), group) != nil
}

func (w *world) consumerLeaveStep(d *dice) {
	group := d.n(groups)
	name := w.someone(d, group)
	m := w.crowd[group][name]
	req := w.heartbeat(group, name, -1)
	req.InstanceID = m.instance
	what := fmt.Sprintf("g%d %s leaves", group, name)
	switch how := pick(d, "", "", "for a while", "for a while", "as another instance", "as no instance"); how {
	case "":
	case "for a while":
		req.MemberEpoch = -2
		what += " " + how
	case "as another instance":
		req.InstanceID = kmsg.StringPtr(pick(d, "i0", "i1", "i9"))
		what += " " + how
	case "as no instance":
		req.InstanceID = nil
		what += " " + how
	}
	if resp := w.beatAs(what, req, d.version(0, 1), group); resp != nil && req.MemberEpoch < 0 {
		delete(w.crowd[group], name)
		if req.MemberEpoch == away {
			m.epoch = away
			w.crowd[group][name] = m
		}
	}
}

func (w *world) consumerDescribeStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{w.groupName(group)}
	if d.one(4) {
		req.Groups = append(req.Groups, pick(d, "nosuch-"+w.run, ""))
	}
	req.IncludeAuthorizedOperations = d.one(3)
	kind := ""
	if len(w.crowd[group]) == 0 {
		kind = " of nobody"
	}
	w.askAs(kind, fmt.Sprintf("g%d of %d", group, len(req.Groups)), req, d.version(0, 1))
}

// whose is the member and epoch that a request claims: mostly true ones. The epoch
// before the newest is in TestConsumerGroup.
func (w *world) whose(d *dice, group int) (id string, epoch int32, label string) {
	id = w.someone(d, group)
	epoch = w.crowd[group][id].epoch
	switch pick(d, "true", "true", "true", "true", "nobody", "wrong member", "the next epoch", "epoch -1", "epoch 77") {
	case "nobody":
		return "", -1, "nobody"
	case "wrong member":
		return "somebody", epoch, "a wrong member"
	case "the next epoch":
		return id, epoch + 1, id + " with the next epoch"
	case "epoch -1":
		return id, -1, id + " with epoch -1"
	case "epoch 77":
		return id, 77, id + " with epoch 77"
	}
	return id, epoch, id
}

func (w *world) consumerCommitStep(d *dice) {
	group := d.n(groups)
	topic, id, label := w.topicOf(d)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = w.groupName(group)
	var who string
	req.MemberID, req.Generation, who = w.whose(d, group)
	if d.one(8) {
		req.InstanceID = kmsg.StringPtr(pick(d, "i0", "i9"))
		who += " instance " + *req.InstanceID
	}
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic, rt.TopicID = topic, id
	what := fmt.Sprintf("g%d as %s %s", group, who, label)
	for range 1 + d.n(2) {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.LeaderEpoch = partitionOf(d), int64(d.n(20))-1, pick(d, -1, w.epoch)
		rt.Partitions = append(rt.Partitions, rp)
		what += fmt.Sprintf(" /%d=%d", rp.Partition, rp.Offset)
	}
	req.Topics = append(req.Topics, rt)
	w.ask(what, req, pick[int16](d, 10, 9, 10, 9, 10, 9, 8, 7, 2))
}

func (w *world) consumerFetchStep(d *dice) {
	group := d.n(groups)
	topic, id, label := w.topicOf(d)
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = d.one(2)
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = w.groupName(group)
	member, epoch, who := w.whose(d, group)
	rg.MemberEpoch = epoch
	if rg.MemberID = &member; member == "" && d.one(2) {
		rg.MemberID = nil
	}
	all := d.one(4)
	if !all {
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.TopicID, gt.Partitions = topic, id, []int32{0, 1, 7}
		rg.Topics = append(rg.Topics, gt)
	}
	req.Groups = append(req.Groups, rg)
	if d.one(5) {
		other := kmsg.NewOffsetFetchRequestGroup()
		other.Group, other.MemberEpoch = "nosuch-"+w.run, -1
		req.Groups = append(req.Groups, other)
	}
	w.ask(fmt.Sprintf("g%d as %s %s all %v", group, who, label, all), req, d.version(8, 10))
}

// groupSettings are configs of groups, good and bad values of each.
var groupSettings = [][]string{
	{"consumer.heartbeat.interval.ms", "6000", "5000", "4999", "x", "15001"},
	{"consumer.session.timeout.ms", "50000", "45000", "60000", "1", "44999", "60001", ""},
	{"share.isolation.level", "read_committed", "read_uncommitted", "none"},
	{"share.auto.offset.reset", "earliest", "latest", "by_duration:PT1H", "by_duration:x", "never"},
	{"share.record.lock.duration.ms", "30000", "15000", "1"},
	{"share.heartbeat.interval.ms", "6000", "1"},
	{"nosuch.config", "1"},
}

func (w *world) groupConfigStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.ValidateOnly = d.one(5)
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeGroupConfig, w.groupName(group)
	what := fmt.Sprintf("g%d only looking %v", group, req.ValidateOnly)
	if d.one(8) {
		resource.ResourceName, what = "", what+" without its name"
	}
	for range 1 + d.n(2) {
		s := groupSettings[d.n(len(groupSettings))]
		value, operation := s[1+d.n(len(s)-1)], pick(d, 0, 0, 0, 1, 2)
		if resource.ResourceName == "" { // of two mistakes either may be told
			value, operation = s[1], 0
		}
		rc := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		rc.Name, rc.Op = s[0], kmsg.IncrementalAlterConfigOp(operation)
		if operation != 1 {
			rc.Value = &value
		}
		if slices.ContainsFunc(resource.Configs, func(c kmsg.IncrementalAlterConfigsRequestResourceConfig) bool { return c.Name == rc.Name }) {
			continue
		}
		resource.Configs = append(resource.Configs, rc)
		what += fmt.Sprintf(" op %d %s=%s", operation, s[0], value)
	}
	req.Resources = append(req.Resources, resource)
	w.change(what, req, d.version(0, 1))
}

func (w *world) describeGroupConfigStep(d *dice) {
	group := d.n(groups)
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms, req.IncludeDocumentation = d.one(2), d.one(4)
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeGroupConfig, pick(d, w.groupName(group), w.groupName(group), "nosuch-"+w.run)
	for _, s := range groupSettings {
		resource.ConfigNames = append(resource.ConfigNames, s[0])
	}
	req.Resources = append(req.Resources, resource)
	w.ask(resource.ResourceName[:2], req, d.version(1, 4))
}
