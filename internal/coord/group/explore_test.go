package group

import (
	"flag"
	"fmt"
	"hash/maphash"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

var exploreDepth = flag.Int("explore.depth", 3, "how many events TestExplore goes on from each of its beginnings")

// beginning is a state that the search goes on from.
type beginning struct {
	name  string
	three bool
	path  []string
}

var (
	passes     = "time passes to the next deadline"
	gathered   = []string{"a joins", "a joins", "s joins", passes}
	assigned   = []string{"a syncs", "s syncs", "flush"}
	again      = []string{"a joins", "s joins"} // the leader's join is a wish to assign anew
	beginnings = []beginning{
		{name: "nothing"},
		{name: "the leader is to assign", path: gathered},
		{name: "the assignment is on its way to the disk", path: slices.Concat(gathered, assigned[:2])},
		{name: "stable", path: slices.Concat(gathered, assigned)},
		{name: "stable in the second generation, with an offset", path: slices.Concat(gathered, assigned, []string{"a commits", "flush"}, again, assigned)},
		{name: "restarted", path: slices.Concat(gathered, assigned, []string{"a commits", "flush", "restart, what was not durable is lost"})},
		{name: "members have left, an offset is kept", path: slices.Concat(gathered, assigned, []string{"a commits", "a leaves", "s leaves", "flush"})},
		{name: "three members", three: true, path: slices.Concat([]string{"b joins"}, gathered, []string{"b syncs", "a syncs", "s syncs", "flush"})},
	}
)

// explorer is one search.
type explorer struct {
	mistake mistake
	three   bool

	states, events int
	seen           map[string]int
	problem        string
	story          []string // that leads to the problem
}

func (x *explorer) saw(p *scene, what string) {
	if !p.quiet {
		x.seen[what]++
	}
}

func (x *explorer) sawCode(p *scene, kind string, code int16) {
	if p.quiet {
		return
	}
	name := "no error"
	if err := kerr.ErrorForCode(code); err != nil {
		name = err.(*kerr.Error).Message
	}
	x.saw(p, kind+" answered with "+name)
}

// play carries out a path of actions.
func (x *explorer) play(alphabet map[string]action, path []string) (*scene, bool) {
	p := newScene(x)
	for i, name := range path {
		p.path = append(p.path, name)
		p.quiet = i < len(path)-1 // has been seen when that was the last
		a, ok := alphabet[name]
		if !ok {
			p.fail("there is no action %q", name)
		}
		if p.problem != "" {
			return p, true
		}
		if p.quiet {
			a.run(p)
			continue
		}
		before := p.view()
		if !a.run(p) {
			return p, false
		}
		x.witness(p, name, before)
	}
	return p, true
}

// view is what a witness compares.
type view struct {
	state                     State
	there                     bool
	generation                int32
	leader                    string
	members, joining, syncing int
	pending, tail             int
	assigning                 bool // an assignment of this generation is on its way to the disk
	parked                    map[string]bool
}

func (p *scene) view() view {
	v := view{tail: len(p.tail), parked: map[string]bool{}}
	g := p.c.groups[exploredGroup]
	if g == nil {
		return v
	}
	v.there, v.state, v.generation, v.leader, v.members, v.pending = true, g.state, g.generation, g.leader, len(g.members), len(g.pending)
	for _, m := range g.members {
		place := strings.SplitN(m.id, "-", 2)[0]
		if m.joining != nil {
			v.joining++
			v.parked[place+" joins"] = true
		}
		if m.syncing != nil {
			v.syncing++
			v.parked[place+" syncs"] = true
		}
	}
	for _, w := range p.tail {
		v.assigning = v.assigning || g.state == CompletingRebalance && strings.Contains(p.why[w.ID], "syncs")
	}
	return v
}

// witness notes which situations an action went through.
func (x *explorer) witness(p *scene, action string, was view) {
	is := p.view()
	rebalances := is.there && was.there && was.state != PreparingRebalance && (is.state == PreparingRebalance || is.generation > was.generation)
	saw := func(yes bool, format string, args ...any) {
		if yes {
			x.saw(p, fmt.Sprintf(format, args...))
		}
	}
	saw(rebalances && was.syncing > 0, "a rebalance begins while a sync waits")
	saw(rebalances && was.assigning, "a rebalance begins while the assignment is on its way to the disk")
	saw(rebalances && was.tail > 0 && was.state == Stable, "a rebalance begins while a commit is on its way to the disk")
	saw(action == "s comes back without its id" && was.there, "a static member comes back in %s", was.state)
	saw(action == "s comes back without its id" && was.parked["s joins"], "a static member comes back while its join waits")
	saw(action == "s comes back without its id" && was.parked["s syncs"], "a static member comes back while its sync waits")
	saw(action == passes && is.members < was.members, "a member expires in %s", was.state)
	saw(action == passes && is.pending < was.pending, "an id that was given out expires")
	saw(action == passes && was.state == CompletingRebalance && is.state != was.state, "members do not sync in time")
	saw(action == passes && was.state == PreparingRebalance && is.state == CompletingRebalance && is.members < was.members, "a generation begins without those who did not join")
	saw(strings.HasSuffix(action, " leaves") && was.assigning && is.leader != was.leader, "the leader leaves while its assignment is on its way to the disk")
	saw(was.parked[action], "%s again while it waits", action[2:])
	saw(strings.HasPrefix(action, "restart") && was.there, "%s, in %s", action, was.state)
	saw(action == "restart, what was not durable is lost" && was.tail > 0, "a restart loses what was appended")
	saw(action == "flush fails" && was.syncing > 0, "a flush fails while a sync waits")
	saw(action == "delete the group" && was.there && was.state == Empty && !is.there, "a group is deleted")
	saw(strings.HasPrefix(action, "restart") && was.tail == 0 && !was.there && p.deleted(), "a restart after a deletion")
	saw(strings.HasSuffix(action, " joins") && !was.there && p.deleted(), "a deleted group is made anew")
	saw(strings.HasSuffix(action, " commits late") && is.tail == was.tail, "a late commit is refused")
}

// deleted says that the log has buried a group.
func (p *scene) deleted() bool {
	return slices.ContainsFunc(p.log, buries)
}

// calm lets time pass without any new request: everything is answered, and
// everybody is gone in the end.
func (p *scene) calm() {
	p.quiet, p.refusing = true, false
	g := func() *group { return p.c.groups[exploredGroup] }
	for range 60 {
		if len(p.tail) > 0 && !p.failed {
			p.flush(len(p.tail))
		}
		if len(p.open) == 0 && (g() == nil || g().state == Empty && len(g().pending) == 0) && len(p.tail) == 0 || p.problem != "" {
			return
		}
		if !p.tick() {
			break
		}
	}
	if p.problem != "" {
		return
	}
	for _, q := range p.open {
		p.fail("a %s of %s is never answered", q.kind, q.player)
	}
	p.fail("the group is %s with %d members when all are long gone", g().state, len(g().members))
}

// search goes through every state that up to depth events lead to from a
// beginning, breadth first.
func (x *explorer) search(from beginning, depth int) {
	players := 2
	if x.three = from.three; from.three {
		players = 3
	}
	list := actions(players)
	alphabet := map[string]action{}
	for _, a := range list {
		alphabet[a.name] = a
	}
	seed := maphash.MakeSeed()
	known := map[uint64]bool{}
	wrong := func(p *scene) bool {
		if p.problem == "" {
			return false
		}
		x.problem, x.story = p.problem, p.path
		return true
	}
	// visit answers whether the state is new.
	visit := func(path []string) bool {
		p, ran := x.play(alphabet, path)
		x.events++
		if !ran || wrong(p) {
			return false
		}
		h := maphash.String(seed, p.canon())
		if known[h] {
			return false
		}
		known[h] = true
		x.states++
		p.calm()
		return !wrong(p)
	}
	if !visit(from.path) {
		if x.problem == "" {
			x.problem, x.story = "the beginning cannot be reached", from.path
		}
		return
	}
	level := [][]string{from.path}
	for range depth {
		var next [][]string
		for _, path := range level {
			for _, a := range list {
				longer := append(slices.Clip(path), a.name)
				if visit(longer) {
					next = append(next, longer)
				}
				if x.problem != "" {
					return
				}
			}
		}
		level = next
	}
}

// TestExplore searches the states of a group that a few members, the log under
// it, restarts and time lead to, breadth first to a depth, and checks in each:
// at most one member is told that it owns a partition in a generation; nobody
// commits, syncs or beats in a generation that is over; generations never go
// back; what is acknowledged is in the log; what is reloaded is what the log
// says, and nothing that was deleted; the leader is a member; and whatever waits
// is answered when nothing happens any more but that time passes. It fails, too,
// when one of the situations that it is for was never met.
func TestExplore(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	states, events, ran := 0, 0, 0
	t.Run("from", func(t *testing.T) {
		for _, from := range beginnings {
			t.Run(from.name, func(t *testing.T) {
				t.Parallel()
				x := &explorer{seen: map[string]int{}}
				x.search(from, *exploreDepth)
				if x.problem != "" {
					t.Fatalf("%s\nafter:\n  %s", x.problem, strings.Join(x.story, "\n  "))
				}
				t.Logf("%d states, %d events", x.states, x.events)
				mu.Lock()
				defer mu.Unlock()
				states, events, ran = states+x.states, events+x.events, ran+1
				for what, n := range x.seen {
					seen[what] += n
				}
			})
		}
	})
	if t.Failed() || ran < len(beginnings) {
		return
	}
	t.Logf("%d different states, %d events, up to %d events from %d beginnings", states, events, *exploreDepth, len(beginnings))
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%8d times: %s", seen[what], what)
	}
	for _, what := range mustMeet {
		met := 0
		for s, n := range seen {
			if ok, err := path.Match(what, s); err != nil {
				t.Fatal(err)
			} else if ok {
				met += n
			}
		}
		if met == 0 {
			t.Errorf("never met: %s", what)
		}
	}
}

// mustMeet are the situations that the search must have gone through.
var mustMeet = []string{
	"a rebalance begins while a sync waits",
	"a rebalance begins while the assignment is on its way to the disk",
	"a rebalance begins while a commit is on its way to the disk",
	"a commit is acknowledged after the next generation has begun",
	"a static member comes back in PreparingRebalance",
	"a static member comes back in CompletingRebalance",
	"a static member comes back in Stable",
	"a static member comes back while its join waits",
	"a static member comes back while its sync waits",
	"a member expires in PreparingRebalance",
	"a member expires in CompletingRebalance",
	"a member expires in Stable",
	"an id that was given out expires",
	"members do not sync in time",
	"a generation begins without those who did not join",
	"the leader leaves while its assignment is on its way to the disk",
	"joins again while it waits",
	"syncs again while it waits",
	"restart, what was not durable is lost, in Empty",
	"restart, what was not durable is lost, in PreparingRebalance",
	"restart, what was not durable is lost, in CompletingRebalance",
	"restart, what was not durable is lost, in Stable",
	"restart, what was not durable is there, in CompletingRebalance",
	"restart, what was not durable is there, in Stable",
	"a restart loses what was appended",
	"a flush fails while a sync waits",
	"an append is refused: * syncs",
	"an append is refused: * commits",
	"a group is deleted",
	"a restart after a deletion",
	"a deleted group is made anew",
	"a late commit is refused",
	"late commit answered with ILLEGAL_GENERATION",
	"late commit answered with UNKNOWN_MEMBER_ID",
	"late commit answered with FENCED_INSTANCE_ID",
	"commit answered with REBALANCE_IN_PROGRESS",
	"heartbeat answered with ILLEGAL_GENERATION",
	"heartbeat answered with FENCED_INSTANCE_ID",
	"heartbeat answered with REBALANCE_IN_PROGRESS",
	"sync answered with ILLEGAL_GENERATION",
	"delete answered with NON_EMPTY_GROUP",
}
