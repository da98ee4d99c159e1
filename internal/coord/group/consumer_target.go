package group

import (
	"maps"
	"slices"
	"time"
)

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// assignor is the one that most members want that want one; among equals the first of
// known, which is also for a group whose members do not care.
func (cg *consumerGroup) assignor(known []string) string {
	best := known[0]
	for _, a := range known {
		if cg.assignors[a] > cg.assignors[best] {
			best = a
		}
	}
	return best
}

// retarget computes what the members shall have, if the group has got a new epoch
// since: at once, or when enough time has passed since the last time.
func (c *Coordinator) retarget(ch *consumerChange) {
	cg := ch.cg
	if cg.epoch <= cg.targetEpoch {
		return
	}
	if due := time.UnixMilli(cg.targetAt).Add(c.cfg.Consumer(ch.g.id).Assignment); cg.targetAt != 0 && c.now.Before(due) && c.now.UnixMilli() >= cg.targetAt { // a clock that was ahead must not hold it up
		if cg.targetDue.IsZero() {
			cg.targetDue = due
		}
		return
	}
	name := cg.assignor(c.cfg.ConsumerAssignors)
	target := assignors[name](cg.assignment(c.topics))
	for _, id := range cg.memberIDs() {
		if !slices.Equal(cg.target[id], target[id]) {
			ch.target(id, target[id])
		}
	}
	ch.targetDone(cg.epoch, c.now.UnixMilli())
	c.note(ch.g, "epoch %d: %d members, assignor %s", cg.epoch, len(cg.members), name)
}

// assignment is what the assignors are told.
func (cg *consumerGroup) assignment(topics Topics) assignment {
	a := assignment{partitions: make(map[TopicID]int32)}
	for _, id := range cg.memberIDs() {
		m := cg.members[id]
		am := assignee{id: id, current: cg.target[id]}
		if m.instance != nil {
			am.instance = *m.instance
		}
		for t := range cg.subscribed(topics, m) {
			am.topics = append(am.topics, t)
			if _, ok := a.partitions[t]; !ok {
				name, _ := topics.TopicName(t)
				_, a.partitions[t], _ = topics.Topic(name)
			}
		}
		slices.SortFunc(am.topics, compareTopics)
		a.members = append(a.members, am)
	}
	return a
}

// reconcile leads a member towards the target: it first gives up what it shall not
// have, then gets what it shall, as far as others have given that up. It returns m
// itself when nothing changes. subscription says that what the member reads has changed
// with this request.
func (cg *consumerGroup) reconcile(topics Topics, m *consumerMember, owned *owned, subscription bool) *consumerMember {
	switch m.state {
	case stable:
		switch {
		case m.epoch != cg.targetEpoch:
			return cg.advance(topics, m, owned)
		case subscription:
			return cg.narrow(topics, m, owned)
		}
		return m
	case unrevoked:
		if !owned.mayHave(m.revoking) {
			return cg.advance(topics, m, owned)
		}
		if subscription {
			return cg.narrow(topics, m, owned)
		}
		return m
	}
	return cg.advance(topics, m, owned)
}

// moved is the member at another epoch, or state.
func (m *consumerMember) moved(epoch int32, state memberState, assigned, revoking map[partition]int32) *consumerMember {
	n := *m
	n.previous, n.epoch, n.state, n.assigned, n.revoking = m.epoch, epoch, state, assigned, revoking
	if n.sameAssignment(m) {
		return m
	}
	return &n
}

// narrow takes from a member what it has stopped to read, at once.
func (cg *consumerGroup) narrow(topics Topics, m *consumerMember, owned *owned) *consumerMember {
	reads := cg.subscribed(topics, m)
	assigned, revoking := make(map[partition]int32), maps.Clone(m.revoking)
	if revoking == nil {
		revoking = make(map[partition]int32)
	}
	for p, since := range m.assigned {
		if reads[p.topic] {
			assigned[p] = since
		} else {
			revoking[p] = since
		}
	}
	switch {
	case len(assigned) == len(m.assigned):
		return m
	case owned.mayHave(revoking):
		return m.moved(m.epoch, unrevoked, assigned, revoking)
	}
	return m.moved(m.epoch, m.state, assigned, m.revoking)
}

// advance takes a member as far towards the target as it can get.
func (cg *consumerGroup) advance(topics Topics, m *consumerMember, owned *owned) *consumerMember {
	reads := cg.subscribed(topics, m)
	assigned, revoking := make(map[partition]int32), make(map[partition]int32)
	want := make(map[partition]bool)
	for _, p := range cg.target[m.id] {
		if reads[p.topic] {
			want[p] = true
		}
	}
	for p, since := range m.assigned {
		if want[p] {
			assigned[p] = since
			delete(want, p)
		} else {
			revoking[p] = since
		}
	}
	if len(revoking) > 0 && owned.mayHave(revoking) {
		return m.moved(m.epoch, unrevoked, assigned, revoking)
	}
	state := stable
	for p := range want {
		if owner, ok := cg.owners[p]; ok && owner != m.id {
			state = unreleased
			continue
		}
		assigned[p] = cg.targetEpoch
	}
	return m.moved(cg.targetEpoch, state, assigned, nil)
}
