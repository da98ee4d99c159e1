package group

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestConsumerExplore goes through all that three members (one of them static) can do
// with a consumer group of two topics, event by event, breadth first over the states
// that differ, one event less deep than -explore.depth says from each beginning. What must hold is
// what the random runs check: no partition is used by two, the log says what the
// coordinator knows; and from every state the group settles.
func TestConsumerExplore(t *testing.T) {
	t.Parallel()
	join := []string{"a beats", "b beats", "s beats"}
	settled := slices.Concat(join, []string{"a second passes", "a beats", "a beats", "b beats", "s beats", "b beats", "s beats"})
	x := &consumerExplorer{t: t, seen: map[string]bool{}, met: map[string]int{}}
	for _, beginning := range [][]string{nil, slices.Concat(join, []string{"a second passes", "a beats"}), settled, slices.Concat(settled, []string{"s is away"}), slices.Concat(settled, []string{"crash", "hold", "topic a grows"})} {
		x.search(beginning, *exploreDepth-1)
	}
	for _, situation := range []string{"Empty", "Assigning", "Reconciling", "Stable", "unrevoked", "unreleased", "away", "not durable", "refused"} {
		if x.met[situation] == 0 {
			t.Errorf("nothing was %s: this searches too little", situation)
		}
	}
	t.Logf("%d states, %d events, %v", len(x.seen), x.events, x.met)
}

type consumerExplorer struct {
	t      *testing.T
	seen   map[string]bool
	met    map[string]int
	events int
}

func (x *consumerExplorer) search(beginning []string, depth int) {
	level := [][]string{beginning}
	for range depth {
		var next [][]string
		for _, path := range level {
			for _, a := range sortedNames(consumerActions) {
				longer := append(slices.Clip(path), a)
				s, ok := x.play(longer)
				x.events++
				if !ok {
					continue // it changes nothing
				}
				if key := s.canonical(); !x.seen[key] {
					x.seen[key] = true
					x.witness(s)
					s.settle()
					next = append(next, longer)
				}
			}
		}
		level = next
	}
}

func (x *consumerExplorer) play(path []string) (*consumerSim, bool) {
	s := newConsumerSim(x.t, 1) // whose assignment interval is a second
	s.rounds = 15
	s.topics, s.made = testTopics{}, map[string]int{}
	s.change("a", 2)
	s.change("b", 1)
	for _, id := range []string{"a", "b", "s"} {
		m := &simMember{id: id, topics: []string{"a"}, uses: map[partition]bool{}}
		if id == "s" {
			m.instance = "s"
			m.topics = []string{"a", "b"}
		}
		s.members[id] = m
	}
	ok := true
	for _, a := range path {
		s.say("** %s", a)
		ok = consumerActions[a](s)
		s.checkReplay()
	}
	return s, ok
}

// witness counts the situations that were met.
func (x *consumerExplorer) witness(s *consumerSim) {
	if len(s.tail) > 0 {
		x.met["not durable"]++
	}
	if s.refuse {
		x.met["refused"]++
	}
	g := s.c.groups["g"]
	if g == nil || g.consumer() == nil {
		return
	}
	x.met[g.stateName()]++
	for _, m := range g.consumer().members {
		if m.state != stable {
			x.met[[]string{"", "unrevoked", "unreleased"}[m.state]]++
		}
		if m.epoch == leaveStaticEpoch {
			x.met["away"]++
		}
	}
}

// consumerActions are the events; false means that one is not possible there.
var consumerActions = func() map[string]func(*consumerSim) bool {
	as := map[string]func(*consumerSim) bool{
		"s is away": func(s *consumerSim) bool {
			m := s.static()
			if m.away || m.epoch == 0 {
				return false
			}
			m.uses = map[partition]bool{}
			req := kmsgLeave(m, leaveStaticEpoch)
			s.step(ConsumerHeartbeat{s.call(func(any) {}), Client{m.id, "/h"}, req})
			m.away = true
			return true
		},
		"a reads another topic": func(s *consumerSim) bool {
			m := s.members["a"]
			if m.topics = []string{"b"}; m.epoch == 0 {
				return false
			}
			m.full = true
			s.beat(m, false)
			return true
		},
		"topic a grows": func(s *consumerSim) bool {
			if s.topics["a"].partitions > 3 {
				return false
			}
			s.change("a", s.topics["a"].partitions+1)
			return true
		},
		"topic b comes or goes": func(s *consumerSim) bool {
			s.change("b", 1-s.topics["b"].partitions)
			return s.made["b"] < 3
		},
		"a second passes": func(s *consumerSim) bool { s.pass(time.Second); return true },
		"a falls silent and is started anew": func(s *consumerSim) bool {
			m := s.members["a"]
			if m.epoch == 0 || s.hold || s.refuse { // a disk that says nothing for a session costs all of them their places
				return false
			}
			m.epoch, m.full, m.news, m.uses = 0, false, false, map[partition]bool{}
			for i := range 5 { // the others are there
				s.pass(15 * time.Second)
				for _, id := range sortedNames(s.members) {
					if o := s.members[id]; o != m && !o.away && (o.epoch > 0 || i > 0) {
						s.beat(o, false)
					}
				}
			}
			return true
		},
		"the log refuses": func(s *consumerSim) bool { s.refuse = !s.refuse; return true },
		"hold":            func(s *consumerSim) bool { was := s.hold; s.hold = true; return !was },
		"flush":           func(s *consumerSim) bool { was := s.hold; s.hold = false; s.flush(); return was },
		"crash": func(s *consumerSim) bool {
			for _, m := range s.members {
				m.full = true
			}
			s.start()
			return true
		},
	}
	for _, id := range []string{"a", "b", "s"} {
		for name, lost := range map[string]bool{" beats": false, " beats, its answer is lost": true} {
			as[id+name] = func(s *consumerSim) bool {
				m := s.members[id]
				if id == "s" {
					m = s.static()
				}
				if m.away { // it is started again, with another id
					delete(s.members, m.id)
					m.id = map[string]string{"s": "s'", "s'": "s"}[m.id]
					m.epoch, m.full, m.news, m.away = 0, false, false, false
					s.members[m.id] = m
				}
				s.beat(m, lost)
				return true
			}
		}
	}
	for _, id := range []string{"a", "b"} {
		as[id+" leaves"] = func(s *consumerSim) bool {
			m := s.members[id]
			if m.epoch == 0 {
				return false
			}
			s.step(ConsumerHeartbeat{s.call(func(any) {}), Client{m.id, "/h"}, kmsgLeave(m, leaveEpoch)})
			m.epoch, m.full, m.news, m.uses = 0, false, false, map[partition]bool{}
			return true
		}
	}
	return as
}()

func (s *consumerSim) static() *simMember {
	if m := s.members["s"]; m != nil {
		return m
	}
	return s.members["s'"]
}

// canonical is the same for states from which the same follows.
func (s *consumerSim) canonical() string {
	var b strings.Builder
	for _, id := range sortedNames(s.members) {
		m := s.members[id]
		fmt.Fprintln(&b, id, m.epoch, m.full, m.news, m.away, m.topics, partitionsText(sortedKeys(m.uses)))
	}
	for _, name := range sortedNames(s.topics) {
		fmt.Fprintln(&b, name, s.topics[name].partitions, s.made[name])
	}
	fmt.Fprintln(&b, s.refuse, s.hold)
	// Of a held write only what it makes of the state counts, and whether a crash undoes
	// it: that what is durable is another state.
	for _, c := range []*Coordinator{s.c, s.replayed()} {
		g := c.groups["g"]
		if g == nil || g.consumer() == nil {
			continue
		}
		cg := g.consumer()
		for _, r := range cg.records(1) {
			if r.Key[1] != keyConsumerTarget { // it has the time in it
				b.WriteString(hex.EncodeToString(r.Key) + " " + hex.EncodeToString(r.Value) + "\n")
			}
		}
		fmt.Fprintln(&b, cg.targetEpoch, cg.stale, s.since(time.UnixMilli(cg.targetAt)) < time.Second)
		for _, id := range sortedNames(cg.presences) {
			p := cg.presences[id]
			fmt.Fprintln(&b, id, s.since(p.session)/(20*time.Second), !p.rebalance.IsZero(), p.epoch)
		}
	}
	return b.String()
}

func (s *consumerSim) since(at time.Time) time.Duration { return s.now.Sub(at) }

// replayed is what a restart would know.
func (s *consumerSim) replayed() *Coordinator {
	c := New(s.cfg)
	var n Replayed
	for _, r := range s.durable {
		if err := c.Replay(r, &n); err != nil {
			s.fatalf("replay: %v", err)
		}
	}
	return c
}
