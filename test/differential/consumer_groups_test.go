package differential

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumers are the members of one consumer group of a script.
type consumers struct {
	s     *script
	group string
	topic string
	id    [16]byte
	epoch map[string]int32
	has   map[string][]int32 // of the topic, as told last
}

func (s *script) consumers(name string, partitions int32) *consumers {
	s.t.Helper()
	topic, id := s.topic(name, partitions)
	return s.consumersOf(name, topic, id)
}

func (s *script) consumersOf(name, topic string, id [16]byte) *consumers {
	s.t.Helper()
	s.epoch = 0 // of groups, from here on
	c := &consumers{s: s, group: name + "-group-" + s.run, topic: topic, id: id, epoch: map[string]int32{}, has: map[string][]int32{}}
	// Every change is assigned at once: what is compared must not depend on the clock.
	c.config("consumer.assignment.interval.ms", "0")
	c.found()
	return c
}

// found returns when the group has its coordinator: Kafka makes the topic for it when
// it is looked for, and then takes a moment.
func (c *consumers) found() {
	c.s.t.Helper()
	// Kafka's coordinator hears of topics and configs a little after they were made.
	for end := time.Now().Add(patience); time.Now().Before(end); {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKeys = []string{c.group}
		if r := ask[*kmsg.FindCoordinatorResponse](c.s.side, find, 4); r.Coordinators[0].ErrorCode != 0 {
			continue
		}
		r := ask[*kmsg.ConsumerGroupHeartbeatResponse](c.s.side, c.joining("first"), 1)
		if r.ErrorCode != 0 {
			continue
		}
		second := ask[*kmsg.ConsumerGroupHeartbeatResponse](c.s.side, c.joining("second"), 1)
		for _, m := range []string{"first", "second"} {
			ask[*kmsg.ConsumerGroupHeartbeatResponse](c.s.side, c.request(m, -1), 1)
		}
		del := kmsg.NewPtrDeleteGroupsRequest()
		del.Groups = []string{c.group}
		ask[*kmsg.DeleteGroupsResponse](c.s.side, del, 2)
		if r.Assignment != nil && len(r.Assignment.Topics) == 1 && second.MemberEpoch > r.MemberEpoch {
			return
		}
	}
	c.s.t.Fatal(c.s.name, ": no coordinator")
}

func (c *consumers) config(name, value string) {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: c.group,
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}},
	}}
	c.s.note("config "+name+"="+value, req, 1)
}

func (c *consumers) request(member string, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = c.group, member, epoch, -1
	return req
}

func (c *consumers) joining(member string, topics ...string) *kmsg.ConsumerGroupHeartbeatRequest {
	req := c.request(member, 0)
	req.RebalanceTimeoutMillis = 60_000
	req.SubscribedTopicNames = topics
	if topics == nil {
		req.SubscribedTopicNames = []string{c.topic}
	}
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	return req
}

func (c *consumers) send(label, member string, req *kmsg.ConsumerGroupHeartbeatRequest) {
	c.s.t.Helper()
	resp, ok := c.s.note(label, req, 1).(*kmsg.ConsumerGroupHeartbeatResponse)
	if !ok || resp.ErrorCode != 0 {
		return
	}
	c.epoch[member] = resp.MemberEpoch
	if resp.Assignment != nil {
		c.has[member] = nil
		for _, t := range resp.Assignment.Topics {
			c.has[member] = append(c.has[member], t.Partitions...)
		}
	}
}

func (c *consumers) join(member string, topics ...string) {
	c.send(member+" joins", member, c.joining(member, topics...))
}

func (c *consumers) beat(member string) {
	c.send(member+" beats", member, c.request(member, c.epoch[member]))
}

// owns says which partitions the member has: those that it was told last.
func (c *consumers) owns(member string) {
	req := c.request(member, c.epoch[member])
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	if len(c.has[member]) > 0 {
		req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: c.id, Partitions: c.has[member]})
	}
	c.send(fmt.Sprint(member, " owns ", len(c.has[member])), member, req)
}

func (c *consumers) leave(member string, epoch int32, instance *string) {
	req := c.request(member, epoch)
	req.InstanceID = instance
	c.s.note(fmt.Sprint(member, " leaves ", epoch), req, 1)
}

func (c *consumers) describe(label string) {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{c.group}
	resp, ok := c.s.note(label, req, 1).(*kmsg.ConsumerGroupDescribeResponse)
	if !ok {
		return
	}
	// The lines of members go by their ids: Kafka answers in any order.
	for _, m := range resp.Groups[0].Members {
		name := m.MemberID
		if _, ok := c.epoch[name]; !ok {
			name = "classic" // its id is the broker's own
		}
		c.s.say(label+" "+name, fmt.Sprint("epoch ", m.MemberEpoch, " assigned ", partitionsOf(m.Assignment), " target ", partitionsOf(m.TargetAssignment),
			" instance ", m.InstanceID != nil, " type ", m.MemberType))
	}
}

// partitionsOf are how many partitions of how many topics.
func partitionsOf(a kmsg.Assignment) string {
	n := 0
	for _, t := range a.TopicPartitions {
		n += len(t.Partitions)
	}
	return fmt.Sprint(n, " of ", len(a.TopicPartitions))
}

func (c *consumers) commit(label, member string, epoch int32, version int16, partitions ...int32) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = c.group, member, epoch
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = c.topic, c.id
	for _, p := range partitions {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset = p, 3
		t.Partitions = append(t.Partitions, rp)
	}
	req.Topics = append(req.Topics, t)
	c.s.note(label, req, version)
}

func (c *consumers) fetch(label string, member *string, epoch int32) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberID, g.MemberEpoch = c.group, member, epoch
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.TopicID, t.Partitions = c.topic, c.id, []int32{0, 1}
	g.Topics = append(g.Topics, t)
	req.Groups = append(req.Groups, g)
	c.s.note(label, req, 9)
}

func (c *consumers) list(label string, states, types []string) {
	req := kmsg.NewPtrListGroupsRequest()
	req.StatesFilter, req.TypesFilter = states, types
	c.s.note(label, req, 5)
}

// Members come, give partitions up, commit, and go.
func TestConsumerGroup(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t", 4)
		c.join("a")
		c.describe("one member")
		c.beat("a")
		c.join("b")
		c.beat("b")
		c.describe("two members")
		c.beat("a")
		c.describe("a is to give up")
		c.commit("a commits while it gives up", "a", c.epoch["a"], 9, 0, 3)
		c.beat("a")
		c.owns("a")
		c.commit("a commits with the epoch before", "a", c.epoch["a"]-1, 9, 0, 3)
		c.beat("b")
		c.owns("b")
		c.describe("settled")
		c.list("stable", []string{"stable"}, []string{"consumer"})
		c.list("classic", nil, []string{"classic"})
		c.list("unknown type", nil, []string{"nonsense"})
		c.commit("a commits", "a", c.epoch["a"], 9, 0, 1)
		c.commit("b commits with an epoch before its partition", "b", c.epoch["b"]-1, 9, 2)
		c.commit("a later epoch", "a", c.epoch["a"]+1, 9, 0)
		c.commit("an old version", "a", c.epoch["a"], 8, 0)
		c.commit("not a member", "nobody", c.epoch["a"], 9, 0)
		c.commit("an administrator", "", -1, 9, 0)
		me := "a"
		c.fetch("a fetches", &me, c.epoch["a"])
		c.fetch("an epoch before", &me, c.epoch["a"]-1)
		c.fetch("an administrator fetches", nil, -1)
		other := "nobody"
		c.fetch("nobody fetches", &other, 1)
		del := kmsg.NewPtrDeleteGroupsRequest()
		del.Groups = []string{c.group}
		s.note("delete with members", del, 2)
		classic := kmsg.NewPtrDescribeGroupsRequest()
		classic.Groups = []string{c.group}
		for v := int16(5); v <= 6; v++ {
			s.note(fmt.Sprint("as a classic group, v", v), classic, v)
		}
		c.leave("b", -1, nil)
		c.beat("a")
		c.leave("b", -1, nil)
		c.leave("a", -1, nil)
		c.describe("empty")
		c.commit("an administrator, empty group", "", -1, 9, 0)
		c.list("empty", []string{"Empty"}, nil)
		s.note("delete", del, 2)
		c.describe("deleted")
	})
}

// Requests that are refused.
func TestConsumerGroupRefusals(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t", 2)
		c.beat("nobody")
		c.leave("nobody", -1, nil)
		c.join("a")
		for name, change := range map[string]func(*kmsg.ConsumerGroupHeartbeatRequest){
			"no group":              func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Group = "" },
			"no member":             func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID = "" },
			"blank instance":        func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = kmsg.StringPtr("") },
			"blank rack":            func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RackID = kmsg.StringPtr(" ") },
			"no rebalance time-out": func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = -1 },
			"no partitions":         func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Topics = nil },
			"partitions": func(r *kmsg.ConsumerGroupHeartbeatRequest) {
				r.Topics = append(r.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: c.id})
			},
			"no subscription":         func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = nil },
			"an assignor":             func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = kmsg.StringPtr("best") },
			"an expression":           func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicRegex = kmsg.StringPtr("(") },
			"an epoch that is none":   func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -3 },
			"static without its name": func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -2 },
		} {
			req := c.joining("refused")
			change(req)
			s.note(name, req, 1)
		}
		for _, epoch := range []int32{c.epoch["a"] + 1, c.epoch["a"] - 1, 77} {
			s.note(fmt.Sprint("a with epoch ", epoch), c.request("a", epoch), 1)
		}
		known := c.request("a", c.epoch["a"])
		known.InstanceID = kmsg.StringPtr("i")
		s.note("a with an instance id", known, 1)
		// Groups of the other type.
		hb := kmsg.NewPtrHeartbeatRequest()
		hb.Group, hb.MemberID, hb.Generation = c.group, "a", c.epoch["a"]
		s.note("classic heartbeat", hb, 4)
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.MemberID, sync.Generation = c.group, "a", c.epoch["a"]
		sync.ProtocolType, sync.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
		s.note("classic sync", sync, 5)
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = c.group, "connect", 10_000, 10_000
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = "x", []byte{0}
		join.Protocols = append(join.Protocols, p)
		s.note("classic join of another type", join, 9)
		offsets := kmsg.NewPtrOffsetDeleteRequest()
		offsets.Group = c.group
		ot := kmsg.NewOffsetDeleteRequestTopic()
		ot.Topic = c.topic
		op := kmsg.NewOffsetDeleteRequestTopicPartition()
		ot.Partitions = append(ot.Partitions, op)
		offsets.Topics = append(offsets.Topics, ot)
		s.note("delete offsets of a topic that is read", offsets, 0)
		c.leave("a", -1, nil)
		s.note("delete offsets", offsets, 0)
	})
}

// Static members keep their places.
func TestConsumerGroupStatic(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t", 2)
		inst := "one"
		join := func(member string) {
			req := c.joining(member)
			req.InstanceID = &inst
			c.send(fmt.Sprint(member, " joins as one from ", c.epoch[member]), member, req)
		}
		join("a")
		join("b")
		c.describe("one member")
		c.leave("b", -2, &inst)
		c.leave("a", -2, &inst)
		c.describe("it is away")
		join("b")
		c.describe("it is back")
		join("b")
		old := c.request("a", c.epoch["a"])
		old.InstanceID = &inst
		s.note("the one before", old, 1)
		c.leave("a", -1, &inst)
		c.leave("b", -1, &inst)
		none := "none"
		c.leave("x", -2, &none)
		c.describe("empty")
	})
}

// Topics change under the members.
func TestConsumerGroupSubscriptions(t *testing.T) {
	compare(t, func(s *script) {
		u, _ := s.topic("u", 1)
		c := s.consumers("t", 2)
		c.join("a", c.topic, u)
		c.join("b", u)
		c.beat("a")
		c.owns("a")
		c.beat("b")
		c.describe("two topics")
		sub := c.request("b", c.epoch["b"])
		sub.SubscribedTopicNames = []string{}
		c.send("b reads nothing", "b", sub)
		c.describe("b reads nothing")
		req := c.request("b", c.epoch["b"])
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		c.send("b has nothing", "b", req)
		c.describe("b has nothing")
	})
}

// A wish for another assignor.
func TestConsumerGroupAssignor(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t", 3)
		c.join("a")
		wish := c.request("a", c.epoch["a"])
		wish.ServerAssignor = kmsg.StringPtr("range")
		c.send("a wants range", "a", wish)
		c.describe("by range")
		c.join("b")
		c.beat("a")
		c.owns("a")
		c.beat("b")
		c.describe("both")
	})
}

// A member of the consumer protocol joins a live classic group, and leaves it.
func TestConsumerGroupUpgrade(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t", 4)
		subscription := func(owned ...int32) []byte {
			m := kmsg.NewConsumerMemberMetadata()
			m.Version, m.Topics = 1, []string{c.topic}
			if len(owned) > 0 {
				m.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: c.topic, Partitions: owned}}
			}
			return m.AppendTo(nil)
		}
		var id string
		var generation int32
		join := func(label string, owned ...int32) {
			req := kmsg.NewPtrJoinGroupRequest()
			req.Group, req.MemberID, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = c.group, id, "consumer", 30_000, 30_000
			p := kmsg.NewJoinGroupRequestProtocol()
			p.Name, p.Metadata = "cooperative-sticky", subscription(owned...)
			req.Protocols = append(req.Protocols, p)
			if resp, ok := s.note(label, req, 3).(*kmsg.JoinGroupResponse); ok {
				id, generation = resp.MemberID, resp.Generation
			}
		}
		sync := func(label string, assign ...int32) {
			req := kmsg.NewPtrSyncGroupRequest()
			req.Group, req.MemberID, req.Generation = c.group, id, generation
			if len(assign) > 0 {
				a := kmsg.NewConsumerMemberAssignment()
				a.Version = 1
				a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: c.topic, Partitions: assign}}
				req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: id, MemberAssignment: a.AppendTo(nil)}}
			}
			s.send(req, 3)
			resp, err := s.receive(req)
			if err != nil {
				s.say(label, err.Error())
				return
			}
			r := resp.(*kmsg.SyncGroupResponse)
			a := kmsg.NewConsumerMemberAssignment()
			text := "none"
			if len(r.MemberAssignment) > 0 && a.ReadFrom(r.MemberAssignment) == nil {
				text = fmt.Sprint("version ", a.Version)
				for _, t := range a.Topics {
					text += fmt.Sprint(" ", t.Partitions)
				}
			}
			s.say(label, fmt.Sprint(r.ErrorCode, " ", text))
		}
		beat := func(label string) {
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.MemberID, req.Generation = c.group, id, generation
			s.note(label, req, 4)
		}
		join("classic joins")
		sync("classic syncs", 0, 1, 2, 3)
		c.join("n")
		c.describe("upgraded")
		beat("classic beats")
		sync("classic syncs without a join")
		join("classic joins again", 0, 1, 2, 3)
		sync("classic syncs again")
		c.beat("n")
		beat("classic is to give up")
		join("classic has given up", 0, 1)
		sync("classic syncs once more")
		beat("classic is settled")
		c.beat("n")
		c.describe("settled")
		c.commit("classic commits", id, generation, 3, 0)
		c.commit("classic commits with a later generation", id, generation+1, 3, 0)
		c.leave("n", -1, nil)
		c.describe("downgraded")
		beat("classic beats at last")
		c.list("classic", nil, []string{"classic"})
	})
}

// The configs of groups: what there is, where it comes from, what is refused.
func TestGroupConfigs(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t", 1)
		describe := func(label, group string) {
			req := kmsg.NewPtrDescribeConfigsRequest()
			req.IncludeSynonyms = true
			req.Resources = []kmsg.DescribeConfigsRequestResource{{
				ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: group,
				ConfigNames: []string{"consumer.session.timeout.ms", "consumer.heartbeat.interval.ms", "consumer.assignment.interval.ms"},
			}}
			s.note(label, req, 4)
		}
		describe("what is set", c.group)
		describe("of a group that does not exist", "none-"+s.run)
		describe("of no group", "")
		for _, q := range [][2]string{
			{"consumer.heartbeat.interval.ms", "6000"}, {"consumer.heartbeat.interval.ms", "4999"}, {"consumer.heartbeat.interval.ms", "15001"},
			{"consumer.session.timeout.ms", "45001"}, {"consumer.session.timeout.ms", "1"}, {"consumer.session.timeout.ms", "soon"},
			{"consumer.assignment.interval.ms", "15001"}, {"nonsense", "1"},
		} {
			c.config(q[0], q[1])
		}
		describe("after all", c.group)
		c.join("a")
	})
}
