//go:build sim

package sim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/sched"
)

// teamGroup is the group that members join, by the consumer protocol and by the classic
// one: it goes from one type to the other and back.
const teamGroup = "team"

// sessionMembers is the session time-out of members of either protocol. Who has not had
// an answer for nearly as long takes nothing for its own any more.
const sessionMembers = 45 * time.Second

// place is a partition of a topic that may have been deleted since.
type place struct {
	topic kafka.UUID
	index int32
}

// mate is a member of the group, over all lives.
type mate struct {
	name    string
	classic bool
	id      string // as the broker knows it
	epoch   int32  // or generation; 0: it has to join
	uses    map[place]bool
	seen    time.Time // when it was last answered
	// full: it does not know what became of its last request, and says all again.
	full bool
	// news: it has given something up, and has not said so.
	news bool
}

// teamOf are the members of a run: two of the consumer protocol and, in every other
// run, one of the classic.
func (m *memory) teamOf(seed uint64) []*mate {
	if m.team == nil {
		for _, name := range []string{"new-1", "new-2", "old"} {
			m.team = append(m.team, &mate{name: name, id: name, classic: name == "old", uses: map[place]bool{}})
		}
		m.team[2].id = ""
		if seed%2 == 0 {
			m.team = m.team[:2]
		}
	}
	return m.team
}

// member is one of them at work.
func (r *run) member(m *mate) {
	for range r.tune.work {
		if r.mem.groupsRuined {
			return
		}
		pause()
		r.expireUse(m)
		switch {
		case m.classic:
			r.joinClassic(m)
		case m.epoch > 0 && sched.Draw(12) == 0:
			r.leaveTeam(m)
		default:
			r.beatTeam(m)
		}
		r.stat.Team++
	}
}

// expireUse is what a member does that has had no answer for its session.
func (r *run) expireUse(m *mate) {
	if sched.Now().Sub(m.seen) > sessionMembers-5*time.Second {
		m.uses = map[place]bool{}
	}
}

// takesUp sees that what a member may use from now on is used by nobody else.
func (r *run) takesUp(m *mate, shall map[place]bool) {
	for p := range m.uses {
		if !shall[p] {
			m.news = true
		}
	}
	m.uses = shall
	for _, o := range r.mem.team {
		if r.expireUse(o); o == m {
			continue
		}
		for p := range shall {
			if o.uses[p] {
				r.fail("group %s: partition %d of %s is given to %s, and %s uses it", teamGroup, p.index, p.topic, m.name, o.name)
			}
		}
	}
}

// heardError is an error that a member was told; it reports whether the member is none
// any more.
func (r *run) heardError(m *mate, what string, code int16) (out bool) {
	err := kerr.ErrorForCode(code)
	r.hist.note("group %s: %s %s: %v", teamGroup, m.name, what, err)
	switch {
	case errors.Is(err, kerr.FencedMemberEpoch), errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.GroupIDNotFound), errors.Is(err, kerr.IllegalGeneration):
		m.epoch, m.uses, m.full, m.news = 0, map[place]bool{}, false, false
		return true
	case errors.Is(err, kerr.RebalanceInProgress):
		return false
	case r.ill(), errors.Is(err, kerr.NotCoordinator):
	default:
		r.fail("group %s: %s %s: %v", teamGroup, m.name, what, err)
	}
	m.full = true
	sched.Sleep(context.Background(), 50*time.Millisecond)
	return false
}

func (r *run) beatTeam(m *mate) {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = 1, teamGroup, m.id, m.epoch, -1
	if m.epoch == 0 || m.full {
		req.SubscribedTopicNames = r.tune.names
		req.RebalanceTimeoutMillis = 300_000
	}
	if m.epoch == 0 {
		m.uses = map[place]bool{}
	}
	if m.epoch == 0 || m.full || m.news {
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		for _, p := range sortedPlaces(m.uses) {
			req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: p.topic, Partitions: []int32{p.index}})
		}
	}
	r.hist.note("group %s: %s beats at %d, full %v, uses %d", teamGroup, m.name, m.epoch, m.full, len(m.uses))
	m.full = true // until it is answered
	res := await(func(done func(*kmsg.ConsumerGroupHeartbeatResponse)) {
		r.b.Groups.ConsumerHeartbeat(group.Client{ID: m.name, Host: "/sim"}, req, done)
	})
	if res.ErrorCode != 0 {
		r.heardError(m, fmt.Sprint("beats at ", req.MemberEpoch), res.ErrorCode)
		return
	}
	m.full, m.seen = false, sched.Now()
	if req.Topics != nil {
		m.news = false
	}
	m.epoch = res.MemberEpoch
	if res.Assignment == nil {
		return
	}
	shall := map[place]bool{}
	for _, t := range res.Assignment.Topics {
		for _, p := range t.Partitions {
			shall[place{t.TopicID, p}] = true
		}
	}
	r.hist.note("group %s: %s at %d has %d partitions", teamGroup, m.name, m.epoch, len(shall))
	r.takesUp(m, shall)
}

func (r *run) leaveTeam(m *mate) {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, teamGroup, m.id, -1
	m.epoch, m.uses, m.full, m.news = 0, map[place]bool{}, false, false
	res := await(func(done func(*kmsg.ConsumerGroupHeartbeatResponse)) {
		r.b.Groups.ConsumerHeartbeat(group.Client{ID: m.name, Host: "/sim"}, req, done)
	})
	if res.ErrorCode != 0 {
		r.heardError(m, "leaves", res.ErrorCode)
		m.full = false
	}
}

// joinClassic is a member of the classic protocol: it gives up all, joins, and takes what
// it gets; if it leads, it takes everything, for it knows of no other member that does
// as it does.
func (r *run) joinClassic(m *mate) {
	if m.epoch > 0 && !m.news {
		hb := kmsg.NewPtrHeartbeatRequest()
		hb.Version, hb.Group, hb.MemberID, hb.Generation = 4, teamGroup, m.id, m.epoch
		res := await(func(done func(*kmsg.HeartbeatResponse)) { r.b.Groups.Heartbeat(hb, done) })
		if res.ErrorCode == 0 {
			m.seen = sched.Now()
			return
		}
		if r.heardError(m, "beats classic", res.ErrorCode) {
			m.id = ""
		}
		m.news = true // it has to join
	}
	m.uses = map[place]bool{}
	r.hist.note("group %s: %s joins classic as %q", teamGroup, m.name, m.id)
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.ProtocolType = 3, teamGroup, m.id, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(sessionMembers.Milliseconds()), 300_000
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics = 1, r.tune.names
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "sim", Metadata: meta.AppendTo(nil)}}
	res := await(func(done func(*kmsg.JoinGroupResponse)) {
		r.b.Groups.Join(group.Client{ID: m.name, Host: "/sim"}, req, done)
	})
	if res.ErrorCode != 0 {
		if r.heardError(m, "joins classic", res.ErrorCode) {
			m.id = ""
		} else if res.MemberID != "" {
			m.id = res.MemberID
		}
		return
	}
	m.id, m.epoch, m.seen = res.MemberID, res.Generation, sched.Now()
	r.hist.note("group %s: %s is %q at generation %d, led by %q", teamGroup, m.name, m.id, m.epoch, res.LeaderID)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Version, sync.Group, sync.MemberID, sync.Generation = 3, teamGroup, m.id, m.epoch
	if res.LeaderID == m.id {
		all := kmsg.NewConsumerMemberAssignment()
		for _, t := range r.b.Catalog.Snapshot().Topics() {
			if t.Internal() || r.mem.topic(t.Name) == nil {
				continue
			}
			at := kmsg.NewConsumerMemberAssignmentTopic()
			at.Topic = t.Name
			for p := range t.Partitions {
				at.Partitions = append(at.Partitions, p)
			}
			all.Topics = append(all.Topics, at)
		}
		sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: m.id, MemberAssignment: all.AppendTo(nil)}}
	}
	synced := await(func(done func(*kmsg.SyncGroupResponse)) { r.b.Groups.Sync(sync, done) })
	m.news = false
	if synced.ErrorCode != 0 {
		if r.heardError(m, "syncs", synced.ErrorCode) {
			m.id = ""
		}
		m.news = true
		return
	}
	m.seen = sched.Now()
	a := kmsg.NewConsumerMemberAssignment()
	if len(synced.MemberAssignment) > 0 {
		if err := a.ReadFrom(synced.MemberAssignment); err != nil {
			r.fail("group %s: the assignment of %s: %v", teamGroup, m.name, err)
		}
	}
	shall := map[place]bool{}
	for _, t := range a.Topics {
		if topic := r.b.Catalog.Snapshot().Topic(t.Topic); topic != nil {
			for _, p := range t.Partitions {
				shall[place{topic.ID, p}] = true
			}
		}
	}
	r.hist.note("group %s: %s at generation %d has %d partitions", teamGroup, m.name, m.epoch, len(shall))
	r.takesUp(m, shall)
	m.news = false
}

// checkTeam sees that the members of the consumer protocol are there as they were told.
func (r *run) checkTeam() error {
	if r.mem.groupsRuined {
		return nil
	}
	for _, m := range r.mem.team {
		if m.classic || m.epoch == 0 || sched.Now().Sub(m.seen) > sessionMembers-5*time.Second {
			continue
		}
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Version, req.Groups = 1, []string{teamGroup}
		g := await(func(done func(*kmsg.ConsumerGroupDescribeResponse)) { r.b.Groups.DescribeConsumers(req, done) }).Groups[0]
		if g.ErrorCode != 0 && r.ill() {
			return nil
		}
		found := false
		for _, d := range g.Members {
			if d.MemberID != m.id {
				continue
			}
			found = d.MemberEpoch >= m.epoch
			has := map[place]bool{}
			for _, t := range d.Assignment.TopicPartitions {
				for _, p := range t.Partitions {
					has[place{t.TopicID, p}] = true
				}
			}
			for _, p := range sortedPlaces(m.uses) {
				if !has[p] && r.b.Catalog.Snapshot().TopicByID(p.topic) != nil {
					return fmt.Errorf("group %s: %s uses partition %d of %s, and the group does not know", teamGroup, m.name, p.index, p.topic)
				}
			}
		}
		if !found {
			return fmt.Errorf("group %s: %s was told epoch %d, the group has %v %+v", teamGroup, m.name, m.epoch, kerr.ErrorForCode(g.ErrorCode), g.Members)
		}
	}
	return nil
}

func sortedPlaces(ps map[place]bool) []place {
	out := make([]place, 0, len(ps))
	for p := range ps {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b place) int {
		return cmp.Or(bytes.Compare(a.topic[:], b.topic[:]), cmp.Compare(a.index, b.index))
	})
	return out
}

// await asks for something and waits for the answer.
func await[A any](ask func(done func(A))) A {
	done := sched.NewEvent()
	var answer A
	ask(func(a A) {
		answer = a
		done.Set()
	})
	done.Wait()
	return answer
}
