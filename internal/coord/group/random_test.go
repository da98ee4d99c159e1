package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRandom lets clients that send anything at any time meet a coordinator
// whose disk is slow, full or crashes, and checks after every step:
//
//   - every request gets exactly one answer, at the latest when the clients have
//     gone quiet and time has passed;
//   - a generation has one leader and one protocol, and each member of it learns
//     one assignment: the one that the leader gave and that is durable;
//   - an acknowledged commit is what is read, also after a crash, until another
//     commit, a deletion or the retention takes it;
//   - nothing is shown that is not durable;
//   - deadlines are never in the past once they were ticked.
func TestRandom(t *testing.T) {
	steps := 2500
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := newStorm(t, seed)
			for range steps {
				s.once()
			}
			s.calm()
		})
	}
}

type storm struct {
	t   *testing.T
	r   *rand.Rand
	c   *Coordinator
	cfg Config
	now time.Time
	n   int

	log      []Record
	tail     []Write
	refusing bool

	open    map[int]request // by token
	clients []*actor
	// gens are what was told about each generation of each group.
	gens map[string]*told
	// acked are the offsets that commits were acknowledged for and nothing has
	// touched since.
	acked map[string]int64
}

type request struct {
	event  Event
	who    *actor
	offset map[string]int64 // a commit's
}

type actor struct {
	group      string
	member     string
	generation int32
	instance   *string
	version    int16
}

type told struct {
	leader, protocol string
	assigned         map[string]string // what the leader last sent
	learned          map[string]string // what members were told
}

func newStorm(t *testing.T, seed uint64) *storm {
	s := &storm{t: t, r: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0), open: make(map[int]request),
		gens: make(map[string]*told), acked: make(map[string]int64)}
	s.cfg = DefaultConfig()
	s.cfg.InitialRebalanceDelay = time.Duration(s.r.IntN(3)) * time.Second
	s.cfg.OffsetsRetention = 1000 * time.Hour
	s.cfg.MaxSize = 2 + s.r.IntN(4)
	ids := 0
	s.cfg.NewID = func() string { ids++; return fmt.Sprint(ids) }
	for i := range 8 {
		a := &actor{group: fmt.Sprint("g", i%2), generation: -1, version: int16(s.r.IntN(10))}
		if i%4 == 3 {
			name := fmt.Sprint("static", i%2)
			a.instance, a.version = &name, 9
		}
		s.clients = append(s.clients, a)
	}
	s.start()
	return s
}

func (s *storm) start() {
	s.c = New(s.cfg)
	var n Replayed
	for _, r := range s.log {
		if err := s.c.Replay(r, &n); err != nil {
			s.t.Fatal(err)
		}
	}
	s.effects(s.c.Loaded(s.now, nil))
}

func (s *storm) step(e Event) { s.effects(s.c.Step(s.now, e)) }

func (s *storm) ask(e func(Token) Event, who *actor, offset map[string]int64) {
	s.n++
	ev := e(s.n)
	s.open[s.n] = request{ev, who, offset}
	s.step(ev)
}

func (s *storm) effects(eff Effects) {
	for _, r := range eff.Replies {
		s.answered(r)
	}
	for _, w := range eff.Writes {
		if s.refusing {
			s.step(Appended{w.ID, kerr.KafkaStorageError})
			continue
		}
		s.tail = append(s.tail, w)
		s.step(Appended{w.ID, nil})
	}
}

// flush makes the first n of the appended writes durable.
func (s *storm) flush(n int) {
	if n == 0 {
		return
	}
	id := s.tail[n-1].ID
	for _, w := range s.tail[:n] {
		s.log = append(s.log, w.Records...)
	}
	s.tail = slices.Clone(s.tail[n:])
	s.step(Durable{id, nil})
}

func (s *storm) once() {
	switch p := s.r.IntN(100); {
	case p < 12:
		s.now = s.now.Add(time.Duration(s.r.IntN(3000)) * time.Millisecond)
		s.step(Tick{})
		if d := s.c.Deadline(); !d.After(s.now) {
			s.t.Fatalf("the deadline %v is past at %v", d, s.now)
		}
	case p < 30:
		s.flush(s.r.IntN(len(s.tail) + 1))
	case p < 32:
		s.refusing = !s.refusing && s.r.IntN(3) == 0
	case p == 32 && s.r.IntN(5) == 0:
		s.crash()
	case p == 33:
		g := fmt.Sprint("g", s.r.IntN(2))
		s.forget(g)
		s.ask(func(t Token) Event { return DeleteGroup{t, g} }, nil, nil)
	case p < 38:
		s.read()
	default:
		s.client(s.clients[s.r.IntN(len(s.clients))])
	}
	s.check()
}

func (s *storm) forget(group string) {
	maps.DeleteFunc(s.acked, func(k string, _ int64) bool { return strings.HasPrefix(k, group) })
}

// crash loses what is not durable, and the connections.
func (s *storm) crash() {
	if s.r.IntN(2) == 0 {
		s.step(Durable{s.c.writes.Last(), kerr.KafkaStorageError})
		for tok, r := range s.open {
			switch r.event.(type) {
			case Join, Sync:
			default:
				s.t.Fatalf("request %d, %T, is not answered after the disk failed", tok, r.event)
			}
		}
	}
	s.tail, s.refusing = nil, false
	clear(s.open)
	// What was told of a generation that was never durable is void: its number
	// may come again.
	clear(s.gens)
	s.start()
}

func (s *storm) read() {
	g := fmt.Sprint("g", s.r.IntN(2))
	switch s.r.IntN(3) {
	case 0:
		s.ask(func(t Token) Event { return FetchOffsets{Token: t, Group: g, All: true} }, nil, nil)
	case 1:
		s.ask(func(t Token) Event { return Describe{t, g, 6} }, nil, nil)
	case 2:
		s.ask(func(t Token) Event { return List{Token: t} }, nil, nil)
	}
}

func (s *storm) client(a *actor) {
	switch s.r.IntN(9) {
	case 0, 1, 2:
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID = a.version, a.group, a.member, a.instance
		req.ProtocolType = "consumer"
		req.SessionTimeoutMillis = 6000 + int32(s.r.IntN(10000))
		req.RebalanceTimeoutMillis = int32(s.r.IntN(20000))
		for _, n := range [][]string{{"range"}, {"sticky", "range"}, {"range", "sticky"}}[s.r.IntN(3)] {
			p := kmsg.NewJoinGroupRequestProtocol()
			p.Name, p.Metadata = n, subscribe([]string{"t"})
			req.Protocols = append(req.Protocols, p)
		}
		s.ask(func(t Token) Event { return Join{t, Client{"c", "/h"}, req} }, a, nil)
	case 3, 4:
		req := kmsg.NewPtrSyncGroupRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = int16(s.r.IntN(5)), a.group, a.member, a.instance, a.generation
		// Only while it is waited for does a leader's word count.
		grp := s.c.groups[a.group]
		counts := grp != nil && grp.state == CompletingRebalance && grp.generation == a.generation && grp.check(a.member, a.instance) == nil
		if g := s.gens[s.genKey(a.group, a.generation)]; g != nil && g.leader == a.member && g.assigned == nil && counts {
			g.assigned = make(map[string]string)
			for _, o := range s.clients {
				if o.group == a.group && o.member != "" && s.r.IntN(5) > 0 {
					ga := kmsg.NewSyncGroupRequestGroupAssignment()
					ga.MemberID = o.member
					ga.MemberAssignment = fmt.Append(nil, o.member, "@", a.generation)
					g.assigned[o.member] = string(ga.MemberAssignment)
					req.GroupAssignment = append(req.GroupAssignment, ga)
				}
			}
		} else if g != nil && g.leader == a.member {
			for m, as := range g.assigned { // a repeat
				ga := kmsg.NewSyncGroupRequestGroupAssignment()
				ga.MemberID, ga.MemberAssignment = m, []byte(as)
				req.GroupAssignment = append(req.GroupAssignment, ga)
			}
		}
		s.ask(func(t Token) Event { return Sync{t, req} }, a, nil)
	case 5, 6:
		req := kmsg.NewPtrHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 4, a.group, a.member, a.instance, a.generation
		s.ask(func(t Token) Event { return Heartbeat{t, req} }, a, nil)
	case 7:
		c := Commit{Group: a.group, MemberID: a.member, InstanceID: a.instance, Generation: a.generation, Version: 9, RetentionMillis: -1}
		if s.r.IntN(4) == 0 {
			c.MemberID, c.InstanceID, c.Generation = "", nil, -1
		}
		o := CommitOffset{Topic: "t", Partition: int32(s.r.IntN(3)), Offset: s.r.Int64N(1000), LeaderEpoch: -1}
		c.Offsets = []CommitOffset{o}
		key := fmt.Sprint(a.group, "/", o.Partition)
		delete(s.acked, key) // until this one is answered, either may be read
		s.ask(func(t Token) Event { c.Token = t; return c }, a, map[string]int64{key: o.Offset})
	case 8:
		if s.r.IntN(6) > 0 {
			return
		}
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Version, req.Group = 5, a.group
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID, m.InstanceID = a.member, a.instance
		req.Members = append(req.Members, m)
		s.ask(func(t Token) Event { return Leave{t, req} }, a, nil)
	}
}

// genKey names a generation. A group that was deleted and came back counts from
// the beginning: it is another one.
func (s *storm) genKey(group string, generation int32) string {
	return fmt.Sprintf("%s@%d %p", group, generation, s.c.groups[group])
}

func (s *storm) answered(r Reply) {
	q, ok := s.open[r.Token.(int)]
	if !ok {
		s.t.Fatalf("%v is answered, and was not asked or is answered twice: %v", r.Token, answerText(r.Answer))
	}
	delete(s.open, r.Token.(int))
	switch a := r.Answer.(type) {
	case *kmsg.JoinGroupResponse:
		req := q.event.(Join).Req
		switch a.ErrorCode {
		case 0:
			q.who.member, q.who.generation = a.MemberID, a.Generation
			key := s.genKey(req.Group, a.Generation)
			g := s.gens[key]
			if g == nil {
				g = &told{leader: a.LeaderID, protocol: *a.Protocol, learned: make(map[string]string)}
				s.gens[key] = g
			}
			if len(a.Members) > 0 && a.LeaderID != a.MemberID {
				s.t.Fatalf("%s: %s sees the members, the leader is %s", key, a.MemberID, a.LeaderID)
			}
			if g.protocol != *a.Protocol {
				s.t.Fatalf("%s: protocols %s and %s", key, g.protocol, *a.Protocol)
			}
			if g.leader != a.LeaderID {
				// Only a static member's restart moves the lead within a generation.
				if !strings.HasPrefix(a.LeaderID, "static") {
					s.t.Fatalf("%s: leaders %s and %s", key, g.leader, a.LeaderID)
				}
				g.leader = a.LeaderID
			}
		case kerr.MemberIDRequired.Code:
			q.who.member = a.MemberID
		case kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code, kerr.GroupMaxSizeReached.Code:
			q.who.member, q.who.generation = "", -1
		}
	case *kmsg.SyncGroupResponse:
		if a.ErrorCode != 0 {
			break
		}
		req := q.event.(Sync).Req
		g := s.gens[s.genKey(req.Group, req.Generation)]
		if g == nil {
			break // a generation from before a crash that was durable
		}
		if was, ok := g.learned[req.MemberID]; ok && was != string(a.MemberAssignment) {
			s.t.Fatalf("%s in %s: assignments %q and %q", req.MemberID, s.genKey(req.Group, req.Generation), was, a.MemberAssignment)
		}
		g.learned[req.MemberID] = string(a.MemberAssignment)
		if g.assigned != nil && !strings.HasPrefix(req.MemberID, "static") && g.assigned[req.MemberID] != string(a.MemberAssignment) {
			s.t.Fatalf("%s in %s: told %q, the leader said %q", req.MemberID, s.genKey(req.Group, req.Generation), a.MemberAssignment, g.assigned[req.MemberID])
		}
		if !s.durableHas(req.Group, req.Generation) {
			s.t.Fatalf("%s was told an assignment that is not durable", req.MemberID)
		}
	case int16:
		if a == 0 {
			s.forget(q.event.(DeleteGroup).Group)
		}
	case CommitAnswer:
		if a.Codes[0] == 0 {
			durable := s.everDurable()
			for k, o := range q.offset {
				if !durable[fmt.Sprint(k, "=", o)] {
					s.t.Fatalf("%s=%d is acknowledged and not durable", k, o)
				}
				if s.offsets(s.log)[k] == o { // not deleted or overtaken since
					s.acked[k] = o
				}
			}
		}
	case FetchAnswer:
		if a.Code != 0 {
			break
		}
		durable := s.everDurable()
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				k := fmt.Sprint(q.event.(FetchOffsets).Group, "/", p.Partition)
				if !durable[fmt.Sprint(k, "=", p.Offset)] {
					s.t.Fatalf("%s=%d is shown and was never durable", k, p.Offset)
				}
			}
		}
	}
}

// check compares the acknowledged offsets with what a restart would find.
func (s *storm) check() {
	if len(s.acked) == 0 || s.r.IntN(10) > 0 {
		return
	}
	now := s.offsets(s.log)
	for k, o := range s.acked {
		if now[k] != o && !s.touchedLater(k) {
			s.t.Fatalf("%s: %d was acknowledged, a restart would find %d", k, o, now[k])
		}
	}
}

// touchedLater says that an open commit or deletion may have changed k.
func (s *storm) touchedLater(k string) bool {
	for _, q := range s.open {
		switch e := q.event.(type) {
		case Commit:
			if _, ok := q.offset[k]; ok {
				return true
			}
		case DeleteGroup:
			if strings.HasPrefix(k, e.Group) {
				return true
			}
		}
	}
	return false
}

func (s *storm) offsets(log []Record) map[string]int64 {
	m := make(map[string]int64)
	s.walk(log, func(k string, o int64, gone bool) {
		if gone {
			delete(m, k)
			return
		}
		m[k] = o
	})
	return m
}

func (s *storm) everDurable() map[string]bool {
	m := make(map[string]bool)
	s.walk(s.log, func(k string, o int64, gone bool) { m[fmt.Sprint(k, "=", o)] = true })
	return m
}

func (s *storm) walk(log []Record, f func(key string, offset int64, gone bool)) {
	for _, r := range log {
		e, _, err := decode(r)
		if err != nil {
			s.t.Fatal(err)
		}
		if e.offsetKey == nil {
			continue
		}
		k := fmt.Sprint(e.offsetKey.Group, "/", e.offsetKey.Partition)
		if e.offsetValue == nil {
			f(k, -1, true)
		} else {
			f(k, e.offsetValue.Offset, false)
		}
	}
}

func (s *storm) durableHas(group string, generation int32) bool {
	for _, r := range slices.Backward(s.log) {
		if e, _, _ := decode(r); e.groupValue != nil && e.groupKey.Group == group && e.groupValue.Generation == generation {
			return true
		}
	}
	return false
}

// calm ends the storm: nobody sends any more, the disk works, time passes.
// Nothing may be left waiting.
func (s *storm) calm() {
	s.refusing = false
	for i := 0; ; i++ {
		s.flush(len(s.tail))
		d := s.c.Deadline()
		if d.After(s.now.Add(2 * time.Hour)) {
			break
		}
		if i > 10000 || len(s.open) == 0 && i > 200 {
			break
		}
		s.now = d
		s.step(Tick{})
	}
	s.flush(len(s.tail))
	for tok, q := range s.open {
		s.t.Errorf("request %d, %T, was never answered", tok, q.event)
	}
	for _, id := range slices.Sorted(maps.Keys(s.c.groups)) {
		if g := s.c.groups[id]; g.state != Empty || len(g.members) > 0 || len(g.pending) > 0 {
			s.t.Errorf("group %s is %s with %d members when all are long gone", id, g.state, len(g.members))
		}
	}
}
