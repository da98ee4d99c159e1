package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
)

// checkCommit says whether a member may commit. One whose epoch is not the newest may,
// for partitions that it has had since (KIP-1251): that the epoch has moved on is no
// reason to lose what it did.
func (cg *consumerGroup) checkCommit(e Commit) ([]int16, error) {
	if e.Generation < 0 && cg.empty() {
		return nil, nil
	}
	m := cg.members[e.MemberID]
	if m == nil {
		return nil, kerr.UnknownMemberID
	}
	stale := kerr.StaleMemberEpoch
	if m.classic != nil {
		stale = kerr.IllegalGeneration
	}
	switch {
	case m.classic == nil && e.Version < 9:
		return nil, kerr.UnsupportedVersion // it would not understand a stale epoch
	case e.Generation == m.epoch:
		return nil, nil
	case e.Generation > m.epoch:
		return nil, stale
	}
	codes := make([]int16, len(e.Offsets))
	for i, o := range e.Offsets {
		if since, ok := m.assignedSince(partition{o.TopicID, o.Partition}); !ok || e.Generation < since {
			codes[i] = stale.Code
		}
	}
	return codes, nil
}

// checkFetch says whether a member may see the offsets: it must have heard of its
// newest assignment first.
func (cg *consumerGroup) checkFetch(e FetchOffsets) error {
	if e.MemberID == nil && e.MemberEpoch < 0 {
		return nil
	}
	var m *consumerMember
	if e.MemberID != nil {
		m = cg.members[*e.MemberID]
	}
	switch {
	case m == nil:
		return kerr.UnknownMemberID
	case e.MemberEpoch == m.epoch:
		return nil
	case m.classic != nil:
		return kerr.IllegalGeneration
	}
	return kerr.StaleMemberEpoch
}
