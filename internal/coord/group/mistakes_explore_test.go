package group

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// mistake is something that a coordinator could do wrong, planted around the
// real one: before changes what it is asked, after what it answers.
type mistake struct {
	name   string
	before func(p *scene, e Event) Event
	after  func(p *scene, e Event, eff *Effects)
}

var mistakes = []mistake{
	{
		name: "a commit of an old generation is taken",
		before: func(p *scene, e Event) Event {
			c, ok := e.(Commit)
			if g := p.c.groups[exploredGroup]; ok && g != nil && c.Generation >= 0 {
				c.Generation = g.generation
				return c
			}
			return e
		},
	},
	{
		name: "a commit is acknowledged before it is durable",
		after: func(p *scene, e Event, eff *Effects) {
			if c, ok := e.(Commit); ok && len(eff.Writes) > 0 {
				eff.Replies = append(eff.Replies, Reply{Token: c.Token, Answer: CommitAnswer{make([]int16, 1)}})
			}
		},
	},
	{
		name: "an acknowledged commit is not written",
		after: func(p *scene, e Event, eff *Effects) {
			if _, ok := e.(Commit); ok && len(eff.Writes) > 0 {
				eff.Writes[0].Records = nil
			}
		},
	},
	{
		name: "all are told the first share",
		after: func(p *scene, e Event, eff *Effects) {
			for _, r := range eff.Replies {
				if a, ok := r.Answer.(*kmsg.SyncGroupResponse); ok && a.ErrorCode == 0 {
					a.MemberAssignment = []byte(shares[0])
				}
			}
		},
	},
	{
		name: "all are given the first share",
		before: func(p *scene, e Event) Event {
			if s, ok := e.(Sync); ok {
				for i := range s.Req.GroupAssignment {
					s.Req.GroupAssignment[i].MemberAssignment = []byte(shares[0])
				}
			}
			return e
		},
	},
	{
		name: "an assignment is told before it is durable",
		after: func(p *scene, e Event, eff *Effects) {
			if _, ok := e.(Sync); ok && len(eff.Writes) > 0 {
				id := eff.Writes[0].ID
				p.c.Step(p.now, Appended{ID: id})
				eff.Replies = append(eff.Replies, p.c.Step(p.now, Durable{ID: id}).Replies...)
			}
		},
	},
	{
		name: "a generation number is used again",
		after: func(p *scene, e Event, eff *Effects) {
			for _, r := range eff.Replies {
				if a, ok := r.Answer.(*kmsg.JoinGroupResponse); ok && a.Generation == 2 && p.newest == 2 {
					a.Generation = 1
				}
			}
		},
	},
	{
		name: "a sync that waits is forgotten when a rebalance begins",
		after: func(p *scene, e Event, eff *Effects) {
			if _, ok := e.(Sync); ok {
				return
			}
			eff.Replies = slices.DeleteFunc(eff.Replies, func(r Reply) bool {
				a, ok := r.Answer.(*kmsg.SyncGroupResponse)
				return ok && a.ErrorCode == kerr.RebalanceInProgress.Code
			})
		},
	},
	{
		name: "a request is answered twice",
		after: func(p *scene, e Event, eff *Effects) {
			if _, ok := e.(Leave); ok {
				eff.Replies = append(eff.Replies, eff.Replies[0])
			}
		},
	},
	{
		name: "a heartbeat of an old generation is well",
		after: func(p *scene, e Event, eff *Effects) {
			for _, r := range eff.Replies {
				if a, ok := r.Answer.(*kmsg.HeartbeatResponse); ok {
					a.ErrorCode = 0
				}
			}
		},
	},
	{
		name: "a deleted group stays in the log",
		after: func(p *scene, e Event, eff *Effects) {
			if _, ok := e.(DeleteGroup); ok {
				for i := range eff.Writes {
					eff.Writes[i].Records = slices.DeleteFunc(eff.Writes[i].Records, buries)
				}
			}
		},
	},
}

// TestExploreBites shows that the search finds what it is for.
func TestExploreBites(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			for _, from := range beginnings {
				x := &explorer{seen: map[string]int{}, mistake: m}
				x.search(from, 3)
				if x.problem != "" {
					t.Logf("from %s, after %d events: %s", from.name, len(x.story)-len(from.path), x.problem)
					return
				}
			}
			t.Fatal("nobody noticed")
		})
	}
}

// TestFoundByExploring plays what the search has found in its time.
func TestFoundByExploring(t *testing.T) {
	for name, story := range map[string][]string{
		// The log ended with the second assignment, the members had been told the
		// first: after a restart two of them owned the same partition.
		"the leader assigns again before its first assignment is durable": slices.Concat(gathered, assigned[:2], []string{
			"a syncs with another assignment", "flush", "restart, what was not durable is lost", "a syncs", "s syncs",
		}),
	} {
		t.Run(name, func(t *testing.T) {
			x := &explorer{seen: map[string]int{}}
			alphabet := map[string]action{}
			for _, a := range actions(2) {
				alphabet[a.name] = a
			}
			p, ran := x.play(alphabet, story)
			if !ran || p.problem != "" || len(p.path) != len(story) {
				t.Errorf("after %q: %s", p.path, p.problem)
			}
		})
	}
}
