package group

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerHeartbeat is all that a member of a consumer group says: that it joins, that
// it is there, what it reads and has, that it leaves.
func (c *Coordinator) consumerHeartbeat(e ConsumerHeartbeat) {
	if err := c.consumerBeat(e); err != nil {
		c.refuse(e.Token, e.Req.Group, err, consumerFailed(e.Req))
	}
}

func consumerFailed(req *kmsg.ConsumerGroupHeartbeatRequest) func(error) any {
	return func(err error) any {
		res := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
		res.ErrorCode, res.ErrorMessage = faultOf(err)
		return res
	}
}

// consumerBeat answers, or returns why it cannot be answered well; then nothing has
// changed.
func (c *Coordinator) consumerBeat(e ConsumerHeartbeat) error {
	req := e.Req
	if err := c.checkHeartbeat(req); err != nil {
		return err
	}
	if req.MemberEpoch < 0 {
		return c.consumerLeave(e)
	}
	joins := req.MemberEpoch == joinEpoch
	g := c.groups[req.Group]
	switch {
	case g == nil && !joins:
		return faultf(kerr.GroupIDNotFound, "Consumer group %s not found.", req.Group)
	case g != nil && g.consumer() == nil && (g.modern != nil || !joins):
		return faultf(kerr.GroupIDNotFound, "Group %s is not a consumer group.", req.Group)
	}
	var regex string // a new one, compiled to see that it can be
	if req.SubscribedTopicRegex != nil {
		regex = *req.SubscribedTopicRegex
		if _, err := compile(regex); err != nil {
			return faultf(kerr.InvalidRegularExpression, "SubscribedTopicRegex `%s` is not a valid regular expression: %v.", regex, err)
		}
	}
	if g == nil {
		g = c.create(req.Group)
	}
	ch, err := c.consumerOf(g)
	if err != nil {
		return err
	}
	cg := ch.cg
	old, m, err := c.consumerMemberOf(ch, req)
	if err != nil {
		ch.drop()
		return err
	}
	m = m.told(e)
	changed := ch.subscribe(old, m)
	c.retarget(ch)
	m = cg.members[m.id]
	back := old != nil && old.epoch != m.epoch
	if next := cg.reconcile(c.topics, m, ownedOf(req), changed); next != m || back {
		ch.current(next)
	}
	next := cg.members[m.id]
	settings := c.cfg.Consumer(g.id)
	c.present(ch, next, settings.Session, next != m)

	res := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	res.MemberID = &next.id
	res.MemberEpoch = next.epoch
	res.HeartbeatIntervalMillis = int32(next.interval(settings.Heartbeat).Milliseconds())
	// A member that tells all of itself wants to be told all.
	full := req.RebalanceTimeoutMillis != -1 && req.Topics != nil && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil)
	if joins || full || old == nil || !maps.Equal(old.assigned, next.assigned) {
		res.Assignment = assignmentOf(next.assigned)
	}
	ch.answer(e.Token, res, consumerFailed(req))
	return nil
}

// interval is how long the member is to be silent: less than usual while it waits for
// partitions that another one is about to give up, or it would hear of them a whole
// interval late.
func (m *consumerMember) interval(usual time.Duration) time.Duration {
	if m.state != unreleased {
		return usual
	}
	return min(usual, max(usual/5, 200*time.Millisecond))
}

// checkHeartbeat says what is wrong with a request, whatever group it is for.
func (c *Coordinator) checkHeartbeat(req *kmsg.ConsumerGroupHeartbeatRequest) error {
	switch {
	case (req.Version >= 1 || req.MemberEpoch > 0 || req.MemberEpoch == leaveEpoch) && blank(req.MemberID):
		return invalid("MemberId can't be empty.")
	case blank(req.Group):
		return invalid("GroupId can't be empty.")
	case req.InstanceID != nil && blank(*req.InstanceID):
		return invalid("InstanceId can't be empty.")
	case req.RackID != nil && blank(*req.RackID):
		return invalid("RackId can't be empty.")
	case req.MemberEpoch == joinEpoch && req.RebalanceTimeoutMillis == -1:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case req.MemberEpoch == joinEpoch && (req.Topics == nil || len(req.Topics) > 0):
		return invalid("TopicPartitions must be empty when (re-)joining.")
	case req.MemberEpoch == joinEpoch && req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil:
		return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
	case req.MemberEpoch == leaveStaticEpoch && req.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	case req.MemberEpoch < leaveStaticEpoch:
		return invalid("MemberEpoch is invalid.")
	case !fits(req.Group, req.MemberID) || req.SubscribedTopicRegex != nil && !fits(*req.SubscribedTopicRegex):
		return invalid("GroupId, MemberId and SubscribedTopicRegex must not be longer than 32767 bytes.")
	case req.ServerAssignor != nil && !slices.Contains(c.cfg.ConsumerAssignors, *req.ServerAssignor):
		return faultf(kerr.UnsupportedAssignor, "ServerAssignor %s is not supported. Supported assignors: %s.",
			*req.ServerAssignor, strings.Join(c.cfg.ConsumerAssignors, ", "))
	}
	return nil
}

// consumerMemberOf finds the member that speaks, or makes it. old is what it was, nil
// for a new one; m may have another id than old: a static member that came back.
func (c *Coordinator) consumerMemberOf(ch *consumerChange, req *kmsg.ConsumerGroupHeartbeatRequest) (old, m *consumerMember, err error) {
	cg, id, joins := ch.cg, req.MemberID, req.MemberEpoch == joinEpoch
	if id == "" {
		id = c.cfg.NewID()
	}
	static, err := cg.static(id, req.InstanceID)
	if err != nil && !joins {
		return nil, nil, err
	}
	switch {
	case static != nil && joins && static.id != id:
		if static.classic == nil && static.epoch != leaveStaticEpoch {
			return nil, nil, faultf(kerr.UnreleasedInstanceID, "Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.",
				id, *req.InstanceID, static.id)
		}
		return static, c.replaceConsumer(ch, static, id), nil
	case static != nil && joins && static.epoch == leaveStaticEpoch:
		// It comes back with the id that it left with.
		return static, c.replaceConsumer(ch, static, id), nil
	}
	old = cg.members[id]
	switch {
	case old == nil && !joins:
		return nil, nil, unknownMember(id, req.Group)
	case old == nil && len(cg.members) >= c.cfg.ConsumerMaxSize:
		return nil, nil, faultf(kerr.GroupMaxSizeReached, "The consumer group has reached its maximum capacity of %d members.", c.cfg.ConsumerMaxSize)
	case old == nil:
		c.note(ch.g, "member %s joins", id)
		return nil, newConsumerMember(id), nil
	}
	return old, old, old.checkEpoch(req.MemberEpoch, ownedOf(req))
}

// static is the member with an instance id, nil when there is none. The error says why a
// member that has joined may not speak for it.
func (cg *consumerGroup) static(id string, instance *string) (*consumerMember, error) {
	if instance == nil {
		return nil, nil
	}
	m := cg.members[cg.statics[*instance]]
	switch {
	case m == nil:
		return nil, faultf(kerr.UnknownMemberID, "Instance id %s is unknown.", *instance)
	case m.id != id:
		return m, faultf(kerr.FencedInstanceID, "Static member %s with instance id %s was fenced by member %s.", id, *instance, m.id)
	}
	return m, nil
}

// replaceConsumer gives the place of a static member to its restarted self: with its
// partitions, from the beginning. What is new about it is for the caller to write.
func (c *Coordinator) replaceConsumer(ch *consumerChange, old *consumerMember, id string) *consumerMember {
	c.note(ch.g, "static member %s is now %s, it was %s", *old.instance, id, old.id)
	m := *old
	m.id, m.epoch, m.previous, m.classic = id, 0, 0, nil
	if id == old.id {
		ch.set(id, &m)
		return &m
	}
	target := ch.cg.target[old.id]
	ch.remove(old.id)
	ch.target(id, target)
	return &m
}

// checkEpoch says whether a member may go on from an epoch. The one before will do if
// the answer with the newer one may have been lost.
func (m *consumerMember) checkEpoch(epoch int32, owned *owned) error {
	switch {
	case epoch == joinEpoch:
		return nil
	case m.state < stable || m.state > unreleased:
		return faultf(kerr.FencedMemberEpoch, "The consumer group member is in a unknown state. "+abandon)
	}
	return m.modernMember.checkEpoch(consumerType, epoch, owned.within(m.assigned))
}

// told is the member with what a request says of it; what is not said stays.
func (m *consumerMember) told(e ConsumerHeartbeat) *consumerMember {
	n := *m
	req := e.Req
	n.modernMember, n.classic = m.says(e.Client, req.RackID, req.SubscribedTopicNames), nil
	if req.InstanceID != nil {
		n.instance = clonePtr(req.InstanceID)
	}
	if req.RebalanceTimeoutMillis != -1 {
		n.rebalance = time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond
	}
	if req.ServerAssignor != nil {
		n.assignor = strings.Clone(*req.ServerAssignor)
	}
	if req.SubscribedTopicRegex != nil {
		n.regex = strings.Clone(*req.SubscribedTopicRegex)
	}
	return &n
}

// owned are the partitions that a member says it has; nil when it does not say.
type owned struct{ ps map[partition]bool }

func ownedOf(req *kmsg.ConsumerGroupHeartbeatRequest) *owned {
	if req.Topics == nil {
		return nil
	}
	o := &owned{make(map[partition]bool)}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			o.ps[partition{t.TopicID, p}] = true
		}
	}
	return o
}

// within says whether all that the member has is in assigned.
func (o *owned) within(assigned map[partition]int32) bool {
	if o == nil {
		return false
	}
	for p := range o.ps {
		if _, ok := assigned[p]; !ok {
			return false
		}
	}
	return true
}

// mayHave says whether the member may have one of the partitions: it has, or has not
// said.
func (o *owned) mayHave(ps map[partition]int32) bool {
	if o == nil {
		return true
	}
	for p := range ps {
		if o.ps[p] {
			return true
		}
	}
	return false
}

func assignmentOf(assigned map[partition]int32) *kmsg.ConsumerGroupHeartbeatResponseAssignment {
	a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
	a.Topics = []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{}
	for topic, ps := range byTopic(sortedKeys(assigned)) {
		t := kmsg.NewConsumerGroupHeartbeatResponseAssignmentTopic()
		t.TopicID, t.Partitions = topic, indexes(ps)
		a.Topics = append(a.Topics, t)
	}
	return &a
}
