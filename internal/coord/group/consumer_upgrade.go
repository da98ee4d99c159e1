package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
)

// The upgrade of a live group, and back (KIP-848, group.consumer.migration.policy): the
// first member that joins a classic group by the new protocol makes it a consumer group
// in which the others go on with the classic requests; when the last such member has
// gone the group is a classic one again. No member loses what it has.

// upgrade makes a classic group with members a consumer group.
func (c *Coordinator) upgrade(g *group) (*consumerChange, error) {
	refused := func(why string) (*consumerChange, error) {
		return nil, faultf(kerr.GroupIDNotFound, "Cannot upgrade classic group %s to consumer group because %s.", g.id, why)
	}
	switch {
	case !c.cfg.ConsumerUpgrade:
		return refused("online upgrade is disabled")
	case g.protocolType != consumerType:
		return refused("the group does not use the consumer embedded protocol")
	case len(g.members) > c.cfg.ConsumerMaxSize:
		return refused("the group size exceeds the consumer group maximum size")
	}
	cg := newConsumerGroup(g)
	for _, old := range g.members {
		m, custom, err := c.consumerFrom(g, old)
		switch {
		case err != nil:
			return refused("the embedded consumer protocol is malformed")
		case custom:
			return refused("an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade")
		}
		cg.setMember(m.id, m)
		cg.setTarget(m.id, sortedKeys(m.assigned))
	}
	cg.epoch, cg.targetEpoch = g.generation, g.generation
	cg.hash = cg.topicsHash(c.topics)
	if !cg.complete(c.topics) {
		// The leader has not seen all topics as they are now: assign at once.
		cg.hash, cg.stale = ^cg.hash, true
	}
	// Who waits here joins again.
	for _, m := range g.members {
		if w := m.joining; w != nil {
			m.joining = nil
			c.reply(w.token, joinError(w.version, m.id, kerr.RebalanceInProgress))
		}
		if w := m.syncing; w != nil {
			m.syncing = nil
			c.reply(w.token, syncError(w.version, kerr.RebalanceInProgress))
		}
		cg.presences[m.id] = &presence{session: c.now.Add(m.session)}
	}
	c.note(g, "generation %d becomes epoch %d of a consumer group", g.generation, cg.epoch)
	ch := c.change(g, cg)
	ch.become(cg)
	for _, id := range cg.memberIDs() {
		m := cg.members[id]
		ch.records = append(ch.records, consumerMemberRecord(g.id, m))
		if ps := cg.target[id]; len(ps) > 0 {
			ch.records = append(ch.records, targetOneRecord(keyConsumerTargetOne, g.id, id, ps))
		}
		ch.records = append(ch.records, consumerCurrentRecord(g.id, m))
	}
	ch.records = append(ch.records, consumerGroupRecord(g.id, cg.epoch, cg.hash), consumerTargetRecord(g.id, cg.targetEpoch, 0))
	return ch, nil
}

// complete says that the target has every partition that somebody reads.
func (cg *consumerGroup) complete(topics Topics) bool {
	want, have := int32(0), 0
	for t := range cg.names {
		_, n, _ := topics.Topic(t)
		want += n
	}
	for _, ps := range cg.target {
		have += len(ps)
	}
	return int(want) == have
}

// consumerFrom is a member of a classic group as one of a consumer group.
func (c *Coordinator) consumerFrom(g *group, old *member) (m *consumerMember, custom bool, err error) {
	metadata := old.metadata(g.protocol)
	if metadata == nil && len(old.protocols) > 0 {
		metadata = old.protocols[0].metadata // the first generation is not through yet
	}
	e, err := embeddedOf(metadata, c.topics)
	if err != nil {
		return nil, false, err
	}
	ps, custom, err := assignedOf(old.assignment, c.topics)
	if err != nil {
		return nil, false, err
	}
	if g.state != Stable && len(old.assignment) == 0 {
		// A rebalance was begun anew and took the assignment away; the member has not
		// given up what it has.
		ps = sortedKeys(e.owned.ps)
	}
	m = newConsumerMember(old.id)
	m.instance, m.rack, m.clientID, m.clientHost = old.instance, e.rack, old.clientID, old.clientHost
	m.rebalance, m.topics = old.rebalance, e.topics
	m.classic = &classicSide{session: old.session, protocols: old.protocols}
	m.epoch, m.previous = g.generation, g.generation
	m.assigned = make(map[partition]int32)
	for _, p := range ps {
		m.assigned[p] = g.generation
	}
	return m, custom, nil
}

// downgradable says whether only members of the classic protocol are left, and the
// group may be a classic one again.
func (c *Coordinator) downgradable(cg *consumerGroup) bool {
	n := len(cg.members)
	return n > 0 && cg.classics == n && c.cfg.ConsumerDowngrade && n <= c.cfg.MaxSize
}

// downgrade makes a consumer group of classic members a classic group: Stable, with
// what the members have as their assignments. (What they shall have may still be used
// by others; should the group be upgraded again at once, that must not be forgotten.)
func (ch *consumerChange) downgrade() {
	c, g, cg := ch.c, ch.g, ch.cg
	ch.records = append(ch.records, cg.tombstones()...)
	old := g.classicGroup
	g.modern, g.classicGroup = nil, newClassicGroup(c.now)
	ch.undo = append(ch.undo, func() { g.modern, g.classicGroup = cg, old })
	g.generation, g.protocolType = cg.epoch, consumerType
	for _, id := range cg.memberIDs() {
		m := cg.members[id]
		n := &member{
			id: m.id, instance: m.instance, clientID: m.clientID, clientHost: m.clientHost,
			session: m.classic.session, rebalance: m.rebalance, protocolType: consumerType, protocols: m.classic.protocols,
		}
		if n.rebalance <= 0 {
			n.rebalance = n.session
		}
		n.alive(c.now, n.session)
		g.add(n)
	}
	g.protocol = g.selectProtocol()
	for _, m := range g.members {
		m.assignment = assignmentBytes(sortedKeys(cg.members[m.id].has()), m.metadata(g.protocol), c.topics)
	}
	g.enter(Stable, c.now)
	g.subscribed = g.subscribedTopics()
	ch.records = append(ch.records, g.record(nil))
	c.note(g, "epoch %d becomes generation %d of a classic group", cg.epoch, g.generation)
	c.touch(g)
}
