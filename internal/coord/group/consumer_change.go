package group

import "time"

// consumerChange is a modernChange of a consumer group.
type consumerChange struct {
	modernChange
	cg *consumerGroup
}

func (c *Coordinator) change(g *group, cg *consumerGroup) *consumerChange {
	return &consumerChange{modernChange{c: c, g: g}, cg}
}

// metadata puts a member in, or changes what it says of itself.
func (ch *consumerChange) metadata(m *consumerMember) {
	ch.set(m.id, m)
	ch.records = append(ch.records, consumerMemberRecord(ch.g.id, m))
}

// current changes where a member stands.
func (ch *consumerChange) current(m *consumerMember) {
	ch.set(m.id, m)
	ch.records = append(ch.records, consumerCurrentRecord(ch.g.id, m))
}

func (ch *consumerChange) set(id string, m *consumerMember) {
	old := ch.cg.members[id]
	ch.cg.setMember(id, m)
	ch.undo = append(ch.undo, func() { ch.cg.setMember(id, old) })
}

// remove takes a member out, with its target.
func (ch *consumerChange) remove(id string) {
	group := ch.g.id
	ch.records = append(ch.records, tombstone(keyConsumerCurrent, group, id))
	ch.target(id, nil)
	ch.set(id, nil)
	ch.records = append(ch.records, tombstone(keyConsumerMember, group, id))
	if p := ch.cg.presences[id]; p != nil {
		delete(ch.cg.presences, id)
		ch.undo = append(ch.undo, func() {
			// It is not looked at again at once, or a full disk would keep the machine busy.
			p.session = later(p.session, ch.c.now.Add(time.Second))
			if !p.rebalance.IsZero() {
				p.rebalance = later(p.rebalance, ch.c.now.Add(time.Second))
			}
			p.sync, p.join = time.Time{}, time.Time{}
			ch.cg.presences[id] = p
		})
	}
}

// target says what a member shall have; none deletes its record.
func (ch *consumerChange) target(id string, ps []partition) {
	old := ch.cg.target[id]
	ch.cg.setTarget(id, ps)
	ch.add(targetOneRecord(keyConsumerTargetOne, ch.g.id, id, ps), func() { ch.cg.setTarget(id, old) })
}

// targetDone says that the targets are those of the epoch.
func (ch *consumerChange) targetDone(epoch int32, at int64) {
	oldEpoch, oldAt, oldDue := ch.cg.targetEpoch, ch.cg.targetAt, ch.cg.targetDue
	ch.cg.targetEpoch, ch.cg.targetAt, ch.cg.targetDue = epoch, at, time.Time{}
	ch.add(consumerTargetRecord(ch.g.id, epoch, at), func() {
		ch.cg.targetEpoch, ch.cg.targetAt, ch.cg.targetDue = oldEpoch, oldAt, oldDue
		if !oldDue.IsZero() {
			ch.cg.targetDue = later(oldDue, ch.c.now.Add(time.Second))
		}
	})
}

// expression says which topics match; nil forgets the expression.
func (ch *consumerChange) expression(regex string, topics []string) {
	var old []string
	if x := ch.cg.expressions[regex]; x != nil && x.resolved {
		old = x.topics
	}
	ch.cg.setExpression(regex, topics)
	r := tombstone(keyConsumerExpression, ch.g.id, regex)
	if topics != nil {
		r = consumerExpressionRecord(ch.g.id, regex, topics, ch.c.now.UnixMilli())
	}
	ch.add(r, func() { ch.cg.setExpression(regex, old) })
}

// bump gives the group its next epoch: the target has to be computed anew.
func (ch *consumerChange) bump() {
	epoch, hash, outdated := ch.cg.epoch, ch.cg.hash, ch.cg.outdated
	ch.cg.epoch++
	ch.cg.hash = ch.cg.topicsHash(ch.c.topics)
	ch.add(consumerGroupRecord(ch.g.id, ch.cg.epoch, ch.cg.hash), func() {
		ch.cg.epoch, ch.cg.hash = epoch, hash
	})
	if outdated {
		ch.cg.outdated = false
		ch.add(tombstone(keyConsumerPartitions, ch.g.id), func() { ch.cg.outdated = true })
	}
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
