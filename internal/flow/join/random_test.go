package join

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// world is a join's surroundings, as simple as they can be: a log per input, of
// which everything below the oldest unsettled entry is committed.
type world struct {
	t       *testing.T
	rnd     *rand.Rand
	cfg     Config
	m       *Machine
	now     time.Time
	inputs  []string // the branches and "outcomes"
	logs    map[string][]any
	next    map[string]int
	settled map[string]map[int]bool
	state   map[string]Row
	out     []Row
}

type spot struct {
	input string
	at    int
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0), inputs: []string{"message", "mood", "class", "outcomes"},
		logs: map[string][]any{}, next: map[string]int{}, settled: map[string]map[int]bool{}, state: map[string]Row{}}
	w.cfg = Config{Branches: []string{"message", "mood", "class"}, Within: time.Hour, Late: Amend, ByEvent: true, MaxKept: 1000, MaxDone: 2, // so that old repeats are known by their roots alone
		Require: []string{"message"},
		Lost: func(announced func(string) bool) map[string]string {
			out := map[string]string{}
			for _, b := range []string{"mood", "class"} {
				if announced(b) {
					out[b] = b
				}
			}
			return out
		},
		RowID: func(key string, _ []string) string { return "row-" + key },
	}
	for _, in := range w.inputs {
		w.settled[in] = map[int]bool{}
	}
	w.m = New(w.cfg)
	return w
}

func (w *world) committed(input string) int {
	n := 0
	for w.settled[input][n] {
		n++
	}
	return n
}

// restart forgets everything that is not in a log, the state, or what came out.
func (w *world) restart() {
	w.m = New(w.cfg)
	for _, in := range w.inputs {
		at := w.committed(in)
		w.next[in] = at
		for i := range w.settled[in] {
			if i >= at {
				delete(w.settled[in], i)
			}
		}
		if in != "outcomes" {
			w.m.Read(in, int64(at))
		}
	}
	for _, r := range w.state {
		w.m.Restore(r, false)
	}
	for _, r := range w.out {
		w.m.Restore(r, true)
	}
}

// step reads one entry of an input that has one.
func (w *world) step() bool {
	var ready []string
	for _, in := range w.inputs {
		if w.next[in] < len(w.logs[in]) {
			ready = append(ready, in)
		}
	}
	if len(ready) == 0 {
		return false
	}
	in := ready[w.rnd.IntN(len(ready))]
	at := w.next[in]
	w.next[in]++
	var effects []Effect
	switch e := w.logs[in][at].(type) {
	case Part:
		e.Offset, e.Ref = int64(at), spot{in, at}
		effects = w.m.Part(e, w.now)
	case Announcement:
		e.Ref = spot{in, at}
		effects = w.m.Announce(e, w.now)
	}
	for _, e := range effects {
		if e.Keep {
			w.state[e.Row.ID] = e.Row
		}
		if e.Forget {
			delete(w.state, e.Row.ID)
		}
		if e.Kind == Emit {
			w.out = append(w.out, e.Row)
		}
		for _, r := range e.Refs {
			p := r.(spot)
			if w.settled[p.input][p.at] {
				w.t.Errorf("%v is settled twice", p)
			}
			w.settled[p.input][p.at] = true
		}
	}
	return true
}

// insert puts an entry anywhere behind what was read.
func (w *world) insert(input string, e any) {
	at := w.next[input] + w.rnd.IntN(len(w.logs[input])-w.next[input]+1)
	w.logs[input] = slices.Insert(w.logs[input], at, e)
}

// Whatever the order, the repeats and the restarts, each root has exactly one
// complete row; one that lacks a part before it if that part was dead-lettered
// first and redriven later.
func TestAnyOrderRepeatsAndRestarts(t *testing.T) {
	for seed := range uint64(400) {
		w := newWorld(t, seed)
		const roots = 12
		dead := map[string]Part{}
		for i := range roots {
			key := fmt.Sprintf("k%d", i)
			origin := Origin{"message", int64(i)}
			part := func(branch string) Part {
				return Part{Branch: branch, Key: key, Event: key + branch, Time: w.now, Value: json.RawMessage(`1`), Origin: origin}
			}
			w.logs["message"] = append(w.logs["message"], part("message"))
			for _, b := range []string{"mood", "class"} {
				if _, has := dead[key]; !has && w.rnd.IntN(5) == 0 {
					dead[key] = part(b)
					w.insert("outcomes", Announcement{Key: key, Step: b, DeadLetter: "dlq/" + key, Time: w.now, Origin: origin})
					continue
				}
				for range 1 + w.rnd.IntN(2)*w.rnd.IntN(2) {
					w.insert(b, part(b)) // some come twice
				}
			}
		}
		for w.step() {
			if w.rnd.IntN(10) == 0 {
				w.restart()
			}
		}
		for _, key := range slices.Sorted(maps.Keys(dead)) {
			w.insert(dead[key].Branch, dead[key])
			if w.rnd.IntN(3) == 0 {
				w.restart()
			}
			for w.step() {
			}
		}
		w.judge(roots, dead)
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func (w *world) judge(roots int, dead map[string]Part) {
	rows := map[string][]Row{}
	for _, r := range w.out {
		rows[r.Key] = append(rows[r.Key], r)
	}
	for i := range roots {
		key := fmt.Sprintf("k%d", i)
		rs := rows[key]
		want := 1
		if p, ok := dead[key]; ok {
			want = 2
			if len(rs) > 0 && (len(rs[0].Parts) != 2 || rs[0].Missing[p.Branch] != "dlq/"+key || rs[0].Amended) {
				w.t.Errorf("%s came out first as %+v", key, rs[0])
			}
		}
		if len(rs) != want {
			w.t.Errorf("%s has %d rows, want %d", key, len(rs), want)
			continue
		}
		if last := rs[len(rs)-1]; len(last.Parts) != 3 || len(last.Missing) != 0 || last.Amended != (want == 2) {
			w.t.Errorf("%s came out last as %+v", key, last)
		}
	}
	for _, in := range w.inputs {
		if w.committed(in) != len(w.logs[in]) {
			w.t.Errorf("%s is committed to %d of %d", in, w.committed(in), len(w.logs[in]))
		}
	}
	if len(w.state) != 0 || w.m.Open() != 0 {
		w.t.Errorf("left over: %d states, %d open rows", len(w.state), w.m.Open())
	}
}
