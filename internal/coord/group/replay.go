package group

import "time"

// Replayed counts what a replay met.
type Replayed struct {
	Offsets, Groups, Tombstones int
	// Skipped are records of kinds or versions that are not known here: other
	// group protocols, newer brokers.
	Skipped int
}

// count counts a record of one of the newer group types.
func (n *Replayed) count(r Record, known bool, err error) {
	switch {
	case err != nil:
	case !known:
		n.Skipped++
	case r.Value == nil:
		n.Tombstones++
	default:
		n.Groups++
	}
}

// Replay takes in one record of the log, oldest first, before the first Step.
// It keeps no reference to the record's bytes. An error means that the record
// cannot be decoded; the coordinator is as before.
func (c *Coordinator) Replay(r Record, n *Replayed) error {
	if kind := kindOf(r.Key); typeOf(kind) != classicType {
		known, err := c.replayModern(kind, r)
		n.count(r, known, err)
		return err
	}
	e, ok, err := decode(r)
	switch {
	case err != nil:
		return err
	case !ok:
		n.Skipped++
	case e.offsetKey != nil && e.offsetValue == nil:
		n.Tombstones++
		if g := c.groups[e.offsetKey.Group]; g != nil {
			g.removeOffset(e.offsetKey.Topic, e.offsetKey.Partition)
		}
		c.pending.overtaken(offsetKey{e.offsetKey.Group, e.offsetKey.Topic, e.offsetKey.Partition})
	case e.offsetKey != nil:
		n.Offsets++
		g := c.groups[e.offsetKey.Group]
		if g == nil {
			g = newGroup(e.offsetKey.Group, time.Time{})
			g.persisted = true
			c.groups[g.id] = g
		}
		g.setOffset(e.offsetKey.Topic, e.offsetKey.Partition, offsetOf(e.offsetValue))
		c.pending.overtaken(offsetKey{g.id, e.offsetKey.Topic, e.offsetKey.Partition})
	case e.groupValue == nil:
		n.Tombstones++
		// Offsets have tombstones of their own: they stay when the group becomes one of
		// another type.
		if g := c.groups[e.groupKey.Group]; g != nil && g.modern == nil {
			g.classicGroup = newClassicGroup(time.Time{})
			c.forgetEmpty(g)
		}
	default:
		n.Groups++
		g := groupOf(e.groupKey.Group, e.groupValue)
		if old := c.groups[g.id]; old != nil {
			g.offsets = old.offsets
		}
		c.groups[g.id] = g
	}
	return nil
}

// Loaded ends the replay: from now on members are expected to be heard of. The
// Effects are to be carried out as those of a Step. topics are what there is now;
// offsets of others are forgotten: a topic may be deleted just before a broker dies.
// nil stands for no knowledge: all offsets are kept.
func (c *Coordinator) Loaded(now time.Time, topics Topics) Effects {
	c.now = now
	if topics != nil {
		c.topics = topics
	}
	keep := func(topic string, id TopicID) bool {
		now, _, ok := c.topics.Topic(topic)
		return topics == nil || ok && (id == TopicID{} || id == now)
	}
	// What transactions bring for topics that are gone will not count either; nothing needs
	// to be written, since it is not kept after the next replay.
	pendingGone := c.pending.drop(func(k offsetKey, o offset) bool { return !keep(k.topic, o.topicID) })
	c.out = Effects{}
	c.retentionAt = now.Add(c.cfg.OffsetsRetentionCheckInterval)
	for _, g := range c.sortedGroups() {
		c.touch(g)
		if g.modern != nil {
			g.modern.loaded(c)
		}
		for _, m := range g.members {
			m.alive(now, m.session)
		}
		if len(g.members) > c.cfg.MaxSize {
			c.rebalance(g, "the group has more members than group.max.size now allows")
		}
		var gone []TopicPartitions
		g.sortedOffsets(func(topic string, p int32, o offset) {
			if keep(topic, o.topicID) {
				return
			}
			gone = append(gone, TopicPartitions{topic, []int32{p}})
		})
		if len(gone) > 0 {
			c.note(g, "%d offsets of topics that are gone are forgotten", len(gone))
			c.forget(g, gone, func(error) {})
		}
		if n := pendingGone[g.id]; n > 0 {
			c.note(g, "%d offsets that transactions have brought for topics that are gone are forgotten", n)
		}
	}
	c.settle()
	out := c.out
	c.out = Effects{}
	return out
}
