package group

import (
	"maps"
	"slices"
	"time"
)

// consumerGroup is what makes a group a consumer group (KIP-848). The broker assigns
// the partitions: a change of the members or of what they read gives the group a new
// epoch, from which a target assignment is computed, which the members are led to one
// by one with their heartbeats. All of it but the deadlines is in the log: what a
// record says is done by the set method of its kind, in service as in a replay.
type consumerGroup struct {
	g *group

	epoch int32
	// hash is over the topics that the members read, as they were at the epoch.
	hash int64
	// stale: topics have changed and the log refused to take what follows from it.
	stale bool
	// outdated: the log has a record of a kind that is not used any more.
	outdated bool

	members map[string]*consumerMember
	statics map[string]string // member ids by instance id
	// names counts the members that name a topic, assignors those that want one,
	// classics those that use the classic protocol.
	names, assignors map[string]int
	classics         int
	expressions      map[string]*expression

	// owners are the members that have a partition, or have not given it up yet.
	owners map[partition]string

	// target is what each member shall have, sorted, as of targetEpoch; computed at
	// targetAt (ms since 1970; 0 stands for long ago).
	target      map[string][]partition
	targetEpoch int32
	targetAt    int64

	presences map[string]*presence
	// targetDue is when the target that had to wait is computed; zero: none waits.
	targetDue time.Time
}

// expression is a regular expression that members subscribe to.
type expression struct {
	members int
	// resolved says that topics is known: the names that match, sorted.
	resolved bool
	topics   []string
}

// presence has the deadlines of a member.
type presence struct {
	// session is when it is taken for dead.
	session time.Time
	// rebalance is when it must have given up what it was asked for at epoch; zero: it
	// was not asked.
	rebalance time.Time
	epoch     int32
	// sync is when a classic member must have asked for its assignment, join when it
	// must have joined again; zero: neither is expected.
	sync, join time.Time
}

// newConsumerGroup has Kafka's first epoch, of which there is no record.
func newConsumerGroup(g *group) *consumerGroup {
	return &consumerGroup{
		g:           g,
		epoch:       1,
		members:     make(map[string]*consumerMember),
		statics:     make(map[string]string),
		names:       make(map[string]int),
		assignors:   make(map[string]int),
		expressions: make(map[string]*expression),
		owners:      make(map[partition]string),
		target:      make(map[string][]partition),
		presences:   make(map[string]*presence),
	}
}

// consumer is the group as a consumer group, nil when it is of another type.
func (g *group) consumer() *consumerGroup {
	cg, _ := g.modern.(*consumerGroup)
	return cg
}

func (cg *consumerGroup) groupType() string { return consumerType }
func (cg *consumerGroup) empty() bool       { return len(cg.members) == 0 }
func (cg *consumerGroup) expires() bool     { return true }

func (cg *consumerGroup) stateName() string {
	switch {
	case len(cg.members) == 0:
		return "Empty"
	case cg.epoch > cg.targetEpoch:
		return "Assigning"
	}
	for _, m := range cg.members {
		if !m.reconciled(cg.targetEpoch) {
			return "Reconciling"
		}
	}
	return "Stable"
}

func (cg *consumerGroup) reads(topic string) bool {
	if cg.names[topic] > 0 {
		return true
	}
	for _, x := range cg.expressions {
		if _, ok := slices.BinarySearch(x.topics, topic); ok {
			return true
		}
	}
	return false
}

// memberIDs are the ids of the members, sorted.
func (cg *consumerGroup) memberIDs() []string { return slices.Sorted(maps.Keys(cg.members)) }

// setMember puts a member in, in the place of the one with that id, or takes it out
// (nil), and keeps all that is counted.
func (cg *consumerGroup) setMember(id string, m *consumerMember) {
	if old := cg.members[id]; old != nil {
		delete(cg.members, id)
		cg.count(old, -1)
		if old.instance != nil && cg.statics[*old.instance] == id {
			delete(cg.statics, *old.instance)
		}
		for _, ps := range []map[partition]int32{old.assigned, old.revoking} {
			for p := range ps {
				if cg.owners[p] == id {
					delete(cg.owners, p)
				}
			}
		}
	}
	if m == nil {
		return
	}
	cg.members[id] = m
	cg.count(m, 1)
	if m.instance != nil {
		cg.statics[*m.instance] = id
	}
	for _, ps := range []map[partition]int32{m.assigned, m.revoking} {
		for p := range ps {
			cg.owners[p] = id
		}
	}
}

func (cg *consumerGroup) count(m *consumerMember, n int) {
	for _, t := range m.topics {
		addTo(cg.names, t, n)
	}
	if m.assignor != "" {
		addTo(cg.assignors, m.assignor, n)
	}
	if m.classic != nil {
		cg.classics += n
	}
	if m.regex == "" {
		return
	}
	x := cg.expressions[m.regex]
	if x == nil {
		x = &expression{}
		cg.expressions[m.regex] = x
	}
	if x.members += n; x.members <= 0 && !x.resolved {
		delete(cg.expressions, m.regex)
	}
}

// setExpression says which topics an expression matches; nil forgets it.
func (cg *consumerGroup) setExpression(regex string, topics []string) {
	x := cg.expressions[regex]
	switch {
	case x == nil && topics == nil:
		return
	case x == nil:
		x = &expression{}
		cg.expressions[regex] = x
	}
	x.topics, x.resolved = topics, topics != nil
	if x.members <= 0 && !x.resolved {
		delete(cg.expressions, regex)
	}
}

// setTarget says what a member shall have; nil forgets it.
func (cg *consumerGroup) setTarget(id string, ps []partition) {
	if len(ps) == 0 {
		delete(cg.target, id)
		return
	}
	cg.target[id] = ps
}

func addTo(counts map[string]int, key string, n int) {
	if counts[key] += n; counts[key] == 0 {
		delete(counts, key)
	}
}

// tombstones delete the group from the log.
func (cg *consumerGroup) tombstones() []Record {
	id := cg.g.id
	var rs []Record
	for _, m := range cg.memberIDs() {
		rs = append(rs,
			tombstone(keyConsumerCurrent, id, m),
			tombstone(keyConsumerTargetOne, id, m),
			tombstone(keyConsumerMember, id, m))
	}
	for _, regex := range slices.Sorted(maps.Keys(cg.expressions)) {
		rs = append(rs, tombstone(keyConsumerExpression, id, regex))
	}
	rs = append(rs, tombstone(keyConsumerTarget, id))
	if cg.outdated {
		rs = append(rs, tombstone(keyConsumerPartitions, id))
	}
	return append(rs, tombstone(keyConsumerGroup, id))
}
