package group

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// clockwork lets members send their heartbeats at their times.
type clockwork struct {
	*consumerSim
	beats []tick // soonest first
}

type tick struct {
	at time.Time
	m  *simMember
}

func (w *clockwork) add(at time.Time, m *simMember) {
	i, _ := slices.BinarySearchFunc(w.beats, at, func(t tick, at time.Time) int {
		return cmp.Or(t.at.Compare(at), -1) // behind those at the same time
	})
	w.beats = slices.Insert(w.beats, i, tick{at, m})
}

// run lets time pass up to end, or until the group is stable with n members; it
// returns when that was.
func (w *clockwork) run(end time.Time, every time.Duration, n int) time.Time {
	for len(w.beats) > 0 && w.beats[0].at.Before(end) {
		b := w.beats[0]
		w.beats = w.beats[1:]
		w.pass(b.at.Sub(w.now))
		if w.members[b.m.id] != b.m {
			continue // it has left
		}
		w.live(b.m, false)
		for b.m.news || b.m.classic && b.m.rejoin && !b.m.waits { // it says at once that it gave something up
			w.live(b.m, false)
		}
		next := every
		if b.m.interval > 0 {
			next = min(next, b.m.interval)
		}
		w.add(w.now.Add(next), b.m)
		if g := w.c.groups["g"]; g.stateName() == "Stable" && w.settledWith(g, n) {
			return w.now
		}
	}
	return end
}

// settledWith says whether n members use all partitions.
func (w *clockwork) settledWith(g *group, n int) bool {
	uses := 0
	for _, m := range w.members {
		uses += len(m.uses)
	}
	have := len(g.members)
	if cg := g.consumer(); cg != nil {
		have = len(cg.members)
	}
	return have == n && uses == int(w.topics["a"].partitions)
}

// A hundred members that come within a second have what they shall have within two
// heartbeat intervals and half a second, as does the group when one goes and when one
// comes; with heartbeats of half a second it takes less than two seconds. The clock is
// the test's own.
func TestRebalanceOfAHundred(t *testing.T) {
	t.Parallel()
	for _, q := range []struct {
		name    string
		classic bool
		every   time.Duration
		most    time.Duration
	}{
		{"consumer", false, 5 * time.Second, 10*time.Second + 500*time.Millisecond},
		{"classic", true, 3 * time.Second, 6*time.Second + 500*time.Millisecond},
		{"classic, fast", true, 500 * time.Millisecond, 2 * time.Second},
		{"consumer, fast", false, 500 * time.Millisecond, 2*time.Second + 500*time.Millisecond}, // of which one is the assignment interval
	} {
		t.Run(q.name, func(t *testing.T) {
			w := &clockwork{consumerSim: newConsumerSim(t, 1)} // with an assignment interval of a second
			if w.cfg.Consumer("").Assignment != time.Second {
				t.Fatal("this seed has another assignment interval")
			}
			w.cfg.InitialRebalanceDelay = 0
			w.start()
			w.change("a", 200)
			const n = 100
			from := w.now
			for i := range n {
				m := &simMember{id: fmt.Sprintf("m%03d", i), topics: []string{"a"}, uses: map[partition]bool{}, classic: q.classic, rejoin: q.classic}
				w.members[m.id] = m
				w.add(from.Add(time.Duration(w.rnd.Intn(int(q.every/4)))), m)
			}
			check := func(what string, n int, from time.Time) {
				t.Helper()
				at := w.run(from.Add(time.Minute), q.every, n)
				t.Logf("%s: %s", what, at.Sub(from))
				if d := at.Sub(from); d > q.most {
					t.Errorf("%s: %s, at most %s", what, d, q.most)
				}
			}
			check("a hundred come", n, from.Add(q.every/4))
			w.run(w.now.Add(time.Minute), q.every, -1)
			w.leave(w.members["m050"])
			check("one goes", n-1, w.now)
			w.run(w.now.Add(time.Minute), q.every, -1)
			m := &simMember{id: "late", topics: []string{"a"}, uses: map[partition]bool{}, classic: q.classic, rejoin: q.classic}
			w.members[m.id] = m
			w.add(w.now, m)
			check("one comes", n, w.now)
		})
	}
}

// A heartbeat that says nothing new costs the same in a group of any size.
func BenchmarkConsumerHeartbeat(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := &clockwork{consumerSim: newConsumerSim(new(testing.T), 0)}
			w.change("a", 1000)
			for i := range n {
				m := &simMember{id: fmt.Sprintf("m%04d", i), topics: []string{"a"}, uses: map[partition]bool{}}
				w.members[m.id] = m
				w.beat(m, false)
			}
			for range 3 {
				for _, id := range sortedNames(w.members) {
					w.beat(w.members[id], false)
				}
			}
			reqs := make([]*kmsg.ConsumerGroupHeartbeatRequest, 0, n)
			for _, id := range sortedNames(w.members) {
				req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
				req.Version, req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = 1, "g", id, w.members[id].epoch, -1
				reqs = append(reqs, req)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				req := reqs[i%n]
				eff := w.c.Step(w.now, ConsumerHeartbeat{nil, Client{req.MemberID, "/h"}, req})
				if len(eff.Writes) > 0 || len(eff.Replies) != 1 || eff.Replies[0].Answer.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode != 0 {
					b.Fatalf("%+v", eff)
				}
				i++
			}
		})
	}
}
