package group

import (
	"maps"
	"time"
)

// memberState is how far a member of a consumer group is with its assignment, in the
// numbers of the log.
type memberState int8

const (
	// stable: it has what the target of its epoch says.
	stable memberState = 0
	// unrevoked: it has been told to give partitions up and has not said that it did.
	unrevoked memberState = 1
	// unreleased: it waits for partitions that others have not given up.
	unreleased memberState = 2
)

// consumerMember is a member of a consumer group. It does not change: a changed member
// is another consumerMember.
type consumerMember struct {
	modernMember
	instance *string // group.instance.id of a static member, else nil
	// rebalance is how long it may take to give partitions up.
	rebalance time.Duration
	// regex is the expression for topics that it does not name, "" for none.
	regex string
	// assignor is the one that it wants, "" for no wish.
	assignor string
	// classic is set for a member that uses the classic protocol.
	classic *classicSide

	state memberState
	// assigned are the partitions it may use, each with the epoch since when; revoking
	// those that it has to give up.
	assigned, revoking map[partition]int32
}

// classicSide is what a member that uses the classic protocol brings in addition.
type classicSide struct {
	session   time.Duration
	protocols []protocol
}

// sameMetadata says whether all that a member says of itself is equal.
func (m *consumerMember) sameMetadata(o *consumerMember) bool {
	return m.modernMember.sameMetadata(&o.modernMember) && equalPtr(m.instance, o.instance) && m.rebalance == o.rebalance &&
		m.regex == o.regex && m.assignor == o.assignor && m.classic.equal(o.classic)
}

func (s *classicSide) equal(o *classicSide) bool {
	if s == nil || o == nil {
		return s == o
	}
	return s.session == o.session && sameProtocols(s.protocols, o.protocols)
}

// sameAssignment says whether a member stands where another does. The epoch before is
// no matter: it only allows for an answer that was lost.
func (m *consumerMember) sameAssignment(o *consumerMember) bool {
	return m.epoch == o.epoch && m.state == o.state &&
		maps.Equal(m.assigned, o.assigned) && maps.Equal(m.revoking, o.revoking)
}

// reconciled says that the member has all, and only, what the target says.
func (m *consumerMember) reconciled(target int32) bool { return m.state == stable && m.epoch == target }

// has are the partitions that the member may use or has not given up yet.
func (m *consumerMember) has() map[partition]int32 {
	has := make(map[partition]int32, len(m.assigned)+len(m.revoking))
	maps.Copy(has, m.assigned)
	maps.Copy(has, m.revoking)
	return has
}

// assignedSince is the epoch since which the member has a partition, if it has it or
// has not given it up yet.
func (m *consumerMember) assignedSince(p partition) (epoch int32, ok bool) {
	if epoch, ok = m.assigned[p]; !ok {
		epoch, ok = m.revoking[p]
	}
	return epoch, ok
}
