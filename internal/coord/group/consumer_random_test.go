package group

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerSim is a consumer group with members that behave as real ones do, on a
// network that loses answers, over a log that refuses and loses writes, with topics that
// come and go. At every moment a partition is used by one member at most, and what is
// replayed from the log is what was there.
type consumerSim struct {
	t    *testing.T
	seed int64
	rnd  *rand.Rand
	c    *Coordinator
	cfg  Config
	now  time.Time

	topics  testTopics
	made    map[string]int
	durable []Record
	tail    []Write
	refuse  bool
	hold    bool
	ids     int
	members map[string]*simMember
	history []string
	epoch   int32 // the group's greatest that a member was told
	boots   int
	version int // of the topics
	rounds  int // of heartbeats after which the group must have settled
	// classics says that there are members of the classic protocol, too.
	classics bool
	changes  int // of the group's type
	wasType  string
	later    []func()
}

// simMember is a member as it sees itself.
type simMember struct {
	id, instance string
	epoch        int32
	topics       []string
	regex        string
	assignor     string
	uses         map[partition]bool
	// full: it does not know what became of its last request, and says all again.
	full bool
	// news: what it has is not what it said last.
	news bool
	away bool // static, and gone for a while
	// interval is the one that it was told.
	interval time.Duration
	// asked counts its requests: only the answer to the newest one is heard.
	asked int
	// classic: it uses the classic protocol. rejoin says that it has to join, waits
	// that it does, member is its id there.
	classic, eager, rejoin, waits bool
	member                        string
	leads                         bool
	version                       int // of the topics, when it last assigned
}

func newConsumerSim(t *testing.T, seed int64) *consumerSim {
	s := &consumerSim{
		t: t, seed: seed, rnd: rand.New(rand.NewSource(seed)), cfg: DefaultConfig(), now: time.Unix(1e9, 0),
		topics: testTopics{}, made: make(map[string]int), members: make(map[string]*simMember),
		rounds: 26, // the sessions of those who fell silent end within 12
	}
	interval := time.Duration(s.rnd.Intn(2)) * time.Second
	s.cfg.Consumer = func(string) ConsumerSettings {
		return ConsumerSettings{Session: 60 * time.Second, Heartbeat: 5 * time.Second, Assignment: interval}
	}
	s.cfg.NewID = func() string { s.ids++; return fmt.Sprint("id", s.ids) }
	s.change("a", 3)
	s.change("ab", 2)
	s.start()
	return s
}

func (s *consumerSim) fatalf(format string, args ...any) {
	s.t.Helper()
	from := max(0, len(s.history)-60)
	s.t.Fatalf("seed %d: %s\n%s", s.seed, fmt.Sprintf(format, args...), strings.Join(s.history[from:], "\n"))
}

func (s *consumerSim) say(format string, args ...any) {
	s.history = append(s.history, fmt.Sprintf(format, args...))
}

// start makes a coordinator of what is durable.
func (s *consumerSim) start() {
	s.tail, s.hold, s.refuse = nil, false, false
	s.boots++
	s.c = New(s.cfg)
	var n Replayed
	for _, r := range s.durable {
		if err := s.c.Replay(r, &n); err != nil {
			s.fatalf("replay: %v", err)
		}
	}
	s.effects(s.c.Loaded(s.now, s.topics))
}

func (s *consumerSim) step(e Event) { s.effects(s.c.Step(s.now, e)) }

// simCall is a request that waits for its answer.
type simCall struct {
	s      *consumerSim
	boot   int // of the broker that it was sent to
	answer func(any)
	done   bool
}

func (s *consumerSim) call(answer func(any)) *simCall {
	return &simCall{s: s, boot: s.boots, answer: answer}
}

func (s *consumerSim) effects(eff Effects) {
	for _, n := range eff.Notes {
		s.say("      %s", n.Text)
	}
	for _, r := range eff.Replies {
		call := r.Token.(*simCall)
		if call.done {
			s.fatalf("a second answer: %v", r.Answer)
		}
		call.done = true
		call.answer(r.Answer)
	}
	for _, w := range eff.Writes {
		if s.refuse {
			s.say("      refused")
			s.step(Appended{w.ID, kerr.KafkaStorageError})
			continue
		}
		s.tail = append(s.tail, w)
		s.step(Appended{w.ID, nil})
	}
	if !s.hold {
		s.flush()
	}
}

func (s *consumerSim) flush() {
	if len(s.tail) == 0 {
		return
	}
	last := s.tail[len(s.tail)-1].ID
	for _, w := range s.tail {
		s.durable = append(s.durable, w.Records...)
	}
	s.tail = nil
	s.step(Durable{last, nil})
}

func (s *consumerSim) change(name string, partitions int32) {
	now := maps.Clone(s.topics)
	if partitions == 0 {
		delete(now, name)
	} else {
		if _, ok := now[name]; !ok {
			s.made[name]++
		}
		now[name] = testTopic{topicIDOf(name, s.made[name]), partitions}
	}
	s.topics = now
	s.version++
	if s.c != nil {
		s.step(TopicsChanged{Now: now, Names: []string{name}})
	}
}

// beat sends a heartbeat of m; lost says that the answer does not arrive.
func (s *consumerSim) beat(m *simMember, lost bool) {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = 1, "g", m.id, m.epoch, -1
	if m.instance != "" {
		req.InstanceID = &m.instance
	}
	if m.epoch == 0 || m.full {
		req.SubscribedTopicNames = m.topics
		req.SubscribedTopicRegex = &m.regex
		req.RebalanceTimeoutMillis = 60_000
		if m.assignor != "" {
			req.ServerAssignor = &m.assignor
		}
	}
	if m.epoch == 0 || m.full || m.news {
		req.Topics = ownedTopics(sortedKeys(m.uses))
	}
	s.say("%s beats: epoch %d, full %v, uses %s, lost %v", m.id, m.epoch, m.full, partitionsText(sortedKeys(m.uses)), lost)
	m.asked++
	asked, answered := m.asked, false
	s.step(ConsumerHeartbeat{s.call(func(a any) {
		if answered = true; !lost && asked == m.asked {
			s.heard(m, req, a.(*kmsg.ConsumerGroupHeartbeatResponse))
		}
	}), Client{m.id, "/h"}, req})
	if !answered || lost {
		// It waits no longer, and does not know what has become of it.
		m.full = true
		m.asked++
	}
}

func (s *consumerSim) heard(m *simMember, req *kmsg.ConsumerGroupHeartbeatRequest, a *kmsg.ConsumerGroupHeartbeatResponse) {
	switch err := kerr.ErrorForCode(a.ErrorCode); {
	case errors.Is(err, kerr.FencedMemberEpoch) || errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.GroupIDNotFound):
		s.say("   -> %v", err)
		m.epoch, m.uses, m.full, m.news = 0, map[partition]bool{}, false, false
		return
	case errors.Is(err, kerr.UnreleasedInstanceID):
		// It left while nothing could be written; the session of its place will end.
		s.say("   -> %v", err)
		return
	case err != nil:
		s.say("   -> %v", err)
		if !errors.Is(err, kerr.NotCoordinator) {
			s.fatalf("%s is told %v", m.id, *a.ErrorMessage)
		}
		m.full = true
		return
	}
	m.full, m.news = false, false
	m.epoch = a.MemberEpoch
	m.interval = time.Duration(a.HeartbeatIntervalMillis) * time.Millisecond
	s.epoch = max(s.epoch, a.MemberEpoch)
	if a.Assignment == nil {
		s.say("   -> epoch %d", m.epoch)
		return
	}
	shall := make(map[partition]bool)
	for _, t := range a.Assignment.Topics {
		for _, p := range t.Partitions {
			shall[partition{t.TopicID, p}] = true
		}
	}
	s.say("   -> epoch %d: %s", m.epoch, partitionsText(sortedKeys(shall)))
	m.news = !maps.Equal(shall, m.uses)
	m.uses = shall
	s.checkUse()
}

// checkUse sees that no partition is used twice.
func (s *consumerSim) checkUse() {
	by := make(map[partition]string)
	for _, id := range sortedNames(s.members) {
		for p := range s.members[id].uses {
			if other, ok := by[p]; ok {
				s.fatalf("%s/%d is used by %s and %s", topicText(p.topic), p.index, other, id)
			}
			by[p] = id
		}
	}
}

// checkReplay sees that the log says what the coordinator knows.
func (s *consumerSim) checkReplay() {
	g := s.c.groups["g"]
	if g != nil && g.typeName() != s.wasType {
		s.wasType = g.typeName()
		s.changes++
	}
	if g == nil || g.consumer() == nil {
		return
	}
	again := New(s.cfg)
	var n Replayed
	rs := slices.Clone(s.durable)
	for _, w := range s.tail {
		rs = append(rs, w.Records...)
	}
	for _, r := range rs {
		if err := again.Replay(r, &n); err != nil {
			s.fatalf("replay: %v", err)
		}
	}
	want, got := g.consumer().records(1), again.groups["g"].consumer().records(1)
	if len(want) != len(got) {
		s.fatalf("%d records would be written anew, %d after a replay", len(want), len(got))
	}
	for i := range want {
		if !bytes.Equal(want[i].Key, got[i].Key) || !bytes.Equal(want[i].Value, got[i].Value) {
			s.fatalf("the log has\n%s\nbut the coordinator\n%s", recordText(got[i]), recordText(want[i]))
		}
	}
	// What is counted is what is there.
	cg := g.consumer()
	names := make(map[string]int)
	owners := make(map[partition]string)
	for id, m := range cg.members {
		for _, t := range m.topics {
			names[t]++
		}
		for p := range m.assigned {
			owners[p] = id
		}
		for p := range m.revoking {
			owners[p] = id
		}
	}
	if !maps.Equal(names, cg.names) || !maps.Equal(owners, cg.owners) {
		s.fatalf("counted %v and %v, there are %v and %v", cg.names, cg.owners, names, owners)
	}
}

// commit sees that a member's commit is taken for what it uses, and not for what
// another uses.
func (s *consumerSim) commit(m *simMember) {
	var offsets []CommitOffset
	var ps []partition
	for _, name := range sortedNames(s.topics) {
		t := s.topics[name]
		for i := range t.partitions {
			ps = append(ps, partition{t.id, i})
			offsets = append(offsets, CommitOffset{Topic: name, TopicID: t.id, Partition: i, Offset: 1})
		}
	}
	e := Commit{Group: "g", MemberID: m.id, Generation: m.epoch, Version: 9, RetentionMillis: -1, Offsets: offsets}
	e.Token = s.call(func(a any) {
		for i, code := range a.(CommitAnswer).Codes {
			used := m.uses[ps[i]]
			if used && code != 0 && !m.full && kerr.ErrorForCode(code) != kerr.NotCoordinator {
				s.fatalf("%s may not commit %s/%d, which it uses: %v", m.id, topicText(ps[i].topic), ps[i].index, kerr.ErrorForCode(code))
			}
		}
	})
	s.step(e)
}

func (s *consumerSim) run(steps int) {
	for range steps {
		ids := sortedNames(s.members)
		var m *simMember
		if len(ids) > 0 {
			m = s.members[ids[s.rnd.Intn(len(ids))]]
		}
		switch n := s.rnd.Intn(100); {
		case m == nil || n < 6 && len(ids) < 7:
			s.join()
		case n < 60:
			s.live(m, s.rnd.Intn(6) == 0)
		case n < 66:
			s.subscribe(m)
		case n < 70:
			s.leave(m)
		case n < 73:
			s.say("%s falls silent", m.id)
			delete(s.members, m.id)
		case n < 80:
			s.pass(time.Duration(s.rnd.Intn(8)) * time.Second)
		case n < 84:
			name := []string{"a", "ab", "b"}[s.rnd.Intn(3)]
			more := s.topics[name].partitions + int32(s.rnd.Intn(3))
			if s.rnd.Intn(3) == 0 {
				more = 0
			}
			s.say("topic %s: %d", name, more)
			s.change(name, more)
		case n < 88:
			if !m.away && m.epoch > 0 && !m.classic {
				s.commit(m)
			}
		case n < 91:
			s.refuse = !s.refuse
			s.say("refuse %v", s.refuse)
		case n < 94:
			s.say("hold")
			s.hold = true
		case n < 97 && s.hold:
			s.say("flush")
			s.hold = false
			s.flush()
		case n >= 97:
			s.say("crash")
			for _, m := range s.members {
				m.full = true
				m.asked++
				m.lost()
			}
			s.start()
		}
		s.runLater()
		s.checkReplay()
	}
}

func (s *consumerSim) join() {
	s.ids++
	m := &simMember{id: fmt.Sprintf("m%d", s.ids), uses: make(map[partition]bool)}
	if s.rnd.Intn(3) == 0 {
		m.instance = "static " + m.id
	}
	m.choose(s.rnd)
	s.members[m.id] = m
	if s.classics && s.rnd.Intn(2) == 0 {
		m.classic, m.rejoin, m.instance, m.regex = true, true, "", ""
		m.eager = s.rnd.Intn(3) == 0
	}
	s.live(m, s.rnd.Intn(6) == 0)
}

// live lets a member do what it would do next.
func (s *consumerSim) live(m *simMember, lost bool) {
	switch {
	case m.away:
		s.back(m)
	case m.classic:
		s.liveClassic(m, lost)
	default:
		s.beat(m, lost)
	}
	s.runLater()
}

func (m *simMember) choose(rnd *rand.Rand) {
	m.topics = [][]string{{"a"}, {"a", "ab"}, {"b"}, {}, {"a", "ab", "b"}}[rnd.Intn(5)]
	m.regex = []string{"", "", "a.*", "b|c"}[rnd.Intn(4)]
	m.assignor = []string{"", "uniform", "range"}[rnd.Intn(3)]
}

func (s *consumerSim) subscribe(m *simMember) {
	if m.away || m.classic {
		return
	}
	m.choose(s.rnd)
	m.full = true
	s.say("%s reads %v %s", m.id, m.topics, m.regex)
	s.beat(m, s.rnd.Intn(6) == 0)
}

func (s *consumerSim) leave(m *simMember) {
	if m.away || m.epoch == 0 {
		return
	}
	if m.classic {
		s.leaveClassic(m)
		return
	}
	req := kmsgLeave(m, leaveEpoch)
	if m.instance != "" && s.rnd.Intn(2) == 0 {
		req.MemberEpoch = leaveStaticEpoch
	}
	s.say("%s leaves: %d", m.id, req.MemberEpoch)
	m.uses = make(map[partition]bool)
	s.step(ConsumerHeartbeat{s.call(func(any) {}), Client{m.id, "/h"}, req})
	if req.MemberEpoch == leaveStaticEpoch {
		m.away = true
		return
	}
	delete(s.members, m.id)
}

func kmsgLeave(m *simMember, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = 1, "g", m.id, epoch, -1
	if m.instance != "" {
		req.InstanceID = &m.instance
	}
	return req
}

// back is a static member's return, with another id.
func (s *consumerSim) back(m *simMember) {
	delete(s.members, m.id)
	s.ids++
	m.id, m.epoch, m.full, m.news, m.away = fmt.Sprintf("m%d", s.ids), 0, false, false, false
	s.members[m.id] = m
	s.beat(m, false)
}

func (s *consumerSim) pass(d time.Duration) {
	until := s.now.Add(d)
	for at := s.c.Deadline(); !at.IsZero() && !at.After(until); at = s.c.Deadline() {
		s.now = at
		s.step(Tick{})
		s.runLater()
	}
	s.now = until
}

// settle lets the members go on without mishaps until nothing changes, and sees that
// each partition that somebody reads is used, and evenly.
func (s *consumerSim) settle() {
	s.say("settle")
	s.refuse, s.hold = false, false
	s.flush()
	for range s.rounds {
		s.pass(5 * time.Second)
		for _, id := range sortedNames(s.members) {
			m := s.members[id]
			s.live(m, false)
			for n := 0; (m.news || m.classic && m.rejoin && !m.waits) && n < 9; n++ { // what it gave up it says at once
				s.live(m, false)
			}
		}
		s.checkReplay()
	}
	if len(s.members) == 0 {
		return
	}
	g := s.c.groups["g"]
	n := len(g.members)
	if cg := g.consumer(); cg != nil {
		n = len(cg.members)
	}
	if got := g.stateName(); got != "Stable" || n != len(s.members) {
		s.fatalf("the group is %s, with %d members of %d", got, n, len(s.members))
	}
	s.checkUse()
	for _, name := range sortedNames(s.topics) {
		t := s.topics[name]
		readers := 0
		for _, m := range s.members {
			if m.reads(name) {
				readers++
			}
		}
		used := 0
		for _, m := range s.members {
			for p := range m.uses {
				if p.topic == t.id {
					if used++; !m.reads(name) || p.index >= t.partitions {
						s.fatalf("%s uses %s/%d", m.id, name, p.index)
					}
				}
			}
		}
		if readers > 0 && used != int(t.partitions) || readers == 0 && used > 0 {
			s.fatalf("%d of %d partitions of %s are used, by %d readers", used, t.partitions, name, readers)
		}
	}
}

func (m *simMember) reads(topic string) bool {
	if slices.Contains(m.topics, topic) {
		return true
	}
	re, err := compile(m.regex)
	return m.regex != "" && err == nil && re.MatchString(topic)
}

// Members of both protocols: the group goes from one type to the other and back.
func TestConsumerGroupUpgradeRandom(t *testing.T) {
	t.Parallel()
	changes := 0
	for seed := range int64(60) {
		s := newConsumerSim(t, seed)
		s.classics = true
		s.run(80)
		s.settle()
		changes += s.changes
	}
	if changes < 60*2 {
		t.Errorf("the groups changed their types %d times only: this searches little", changes)
	}
}

func TestConsumerGroupRandom(t *testing.T) {
	t.Parallel()
	var epochs int32
	for seed := range int64(60) {
		s := newConsumerSim(t, seed)
		s.run(80)
		s.settle()
		epochs += s.epoch
	}
	if epochs < 60*10 {
		t.Errorf("the groups came to %d epochs only: this searches little", epochs)
	}
}
