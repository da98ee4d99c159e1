package group

import (
	"errors"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lost is what becomes of a classic member's requests when the broker is killed.
func (m *simMember) lost() {
	if m.waits {
		m.waits, m.rejoin = false, true
	}
}

// liveClassic lets a member of the classic protocol do what it would do next: join when
// it has to, else send a heartbeat.
func (s *consumerSim) liveClassic(m *simMember, lost bool) {
	switch {
	case m.waits:
	case m.rejoin || m.leads && m.version != s.version:
		s.joinClassic(m)
	default:
		s.beatClassic(m, lost)
	}
}

// forsake is what a member does that is told that it is none: it uses nothing any more.
func (m *simMember) forsake(code int16) {
	m.uses, m.rejoin = make(map[partition]bool), true
	if err := kerr.ErrorForCode(code); errors.Is(err, kerr.UnknownMemberID) {
		m.member = ""
	}
}

func (s *consumerSim) beatClassic(m *simMember, lost bool) {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 4, "g", m.member, m.epoch
	s.say("%s beats classic: generation %d", m.id, m.epoch)
	s.step(Heartbeat{s.call(func(a any) {
		code := a.(*kmsg.HeartbeatResponse).ErrorCode
		if lost || code == 0 {
			return
		}
		s.say("   -> %v", kerr.ErrorForCode(code))
		switch err := kerr.ErrorForCode(code); {
		case errors.Is(err, kerr.RebalanceInProgress):
			m.rejoin = true
		case errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration):
			m.forsake(code)
		default:
			s.fatalf("%s is told %v", m.id, err)
		}
	}), req})
}

func (s *consumerSim) joinClassic(m *simMember) {
	if m.eager {
		m.uses = make(map[partition]bool)
	}
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.ProtocolType = 3, "g", m.member, consumerType
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 60_000, 60_000
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics = 1, m.topics
	for topic, ps := range byTopic(sortedKeys(m.uses)) {
		name, ok := s.topics.TopicName(topic)
		if !ok {
			continue
		}
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic, o.Partitions = name, indexes(ps)
		meta.OwnedPartitions = append(meta.OwnedPartitions, o)
	}
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "sim", meta.AppendTo(nil)
	req.Protocols = append(req.Protocols, p)
	s.say("%s joins classic as %q, uses %s", m.id, m.member, partitionsText(sortedKeys(m.uses)))
	m.waits, m.rejoin = true, false
	m.asked++
	asked := m.asked
	s.step(Join{s.call(func(a any) {
		if asked != m.asked {
			return
		}
		m.waits = false
		res := a.(*kmsg.JoinGroupResponse)
		if res.ErrorCode != 0 {
			s.say("   %s -> %v", m.id, kerr.ErrorForCode(res.ErrorCode))
			m.rejoin = true
			switch err := kerr.ErrorForCode(res.ErrorCode); {
			case errors.Is(err, kerr.RebalanceInProgress):
				m.member = res.MemberID
			case errors.Is(err, kerr.NotCoordinator):
			case errors.Is(err, kerr.UnknownMemberID):
				m.forsake(res.ErrorCode)
			default:
				s.fatalf("%s is told %v", m.id, err)
			}
			return
		}
		m.member, m.epoch = res.MemberID, res.Generation
		s.say("   %s -> %s, generation %d, leader %v", m.id, m.member, m.epoch, res.LeaderID == m.member)
		s.later = append(s.later, func() { s.syncClassic(m, res) })
	}), Client{m.id, "/h"}, req})
	s.runLater()
}

// runLater does what members do when they have heard an answer.
func (s *consumerSim) runLater() {
	for len(s.later) > 0 {
		f := s.later[0]
		s.later = s.later[1:]
		f()
	}
}

func (s *consumerSim) syncClassic(m *simMember, join *kmsg.JoinGroupResponse) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 3, "g", m.member, m.epoch
	if m.leads = join.LeaderID == m.member; m.leads {
		m.version = s.version
		req.GroupAssignment = s.assignClassic(join.Members)
	}
	m.waits = true
	m.asked++
	asked := m.asked
	s.step(Sync{s.call(func(a any) {
		if asked != m.asked {
			return
		}
		m.waits = false
		res := a.(*kmsg.SyncGroupResponse)
		if res.ErrorCode != 0 {
			s.say("   %s -> %v", m.id, kerr.ErrorForCode(res.ErrorCode))
			m.rejoin = true
			if err := kerr.ErrorForCode(res.ErrorCode); errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) {
				m.forsake(res.ErrorCode)
			}
			return
		}
		ps, _, err := assignedOf(res.MemberAssignment, s.topics)
		if err != nil {
			s.fatalf("%s: assignment %x: %v", m.id, res.MemberAssignment, err)
		}
		s.say("   %s -> %s", m.id, partitionsText(ps))
		before := m.uses
		m.uses = make(map[partition]bool)
		for _, p := range ps {
			m.uses[p] = true
		}
		for p := range before {
			if !m.uses[p] {
				m.rejoin = true // it says that it has given it up
			}
		}
		s.checkUse()
	}), req})
	s.runLater()
}

// assignClassic is the leader's decision, cooperatively: nobody gets what another one
// has not given up yet.
func (s *consumerSim) assignClassic(members []kmsg.JoinGroupResponseMember) []kmsg.SyncGroupRequestGroupAssignment {
	has := make(map[partition]string)
	reads := make(map[string][]string)
	gets := make(map[string][]partition)
	for _, m := range members {
		e, err := embeddedOf(m.ProtocolMetadata, s.topics)
		if err != nil {
			s.fatalf("metadata: %v", err)
		}
		for _, t := range e.topics {
			reads[t] = append(reads[t], m.MemberID)
		}
		for p := range e.owned.ps {
			has[p] = m.MemberID
		}
	}
	n := 0
	for _, t := range slices.Sorted(maps.Keys(reads)) {
		for i := range s.topics[t].partitions {
			p := partition{s.topics[t].id, i}
			to := reads[t][n%len(reads[t])]
			n++
			if owner, ok := has[p]; !ok || owner == to {
				gets[to] = append(gets[to], p)
			}
		}
	}
	var out []kmsg.SyncGroupRequestGroupAssignment
	for _, m := range members {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID = m.MemberID
		a.MemberAssignment = assignmentBytes(sortedPartitions(gets[m.MemberID]), m.ProtocolMetadata, s.topics)
		out = append(out, a)
	}
	return out
}

func (s *consumerSim) leaveClassic(m *simMember) {
	if m.waits {
		return
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = 3, "g"
	lm := kmsg.NewLeaveGroupRequestMember()
	lm.MemberID = m.member
	req.Members = append(req.Members, lm)
	s.say("%s leaves", m.id)
	delete(s.members, m.id)
	m.uses = nil
	m.asked++
	s.step(Leave{s.call(func(any) {}), req})
	s.runLater()
}
