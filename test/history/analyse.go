package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/leatdev/leat/internal/isolation"
)

// Anomaly is the name of something that may not be.
type Anomaly string

const (
	// InconsistentOffset: two values at one offset.
	InconsistentOffset Anomaly = "inconsistent offset"
	// Duplicate: a value of an idempotent producer at two offsets.
	Duplicate Anomaly = "duplicate"
	// FailedRead: a value was polled whose send has failed (Jepsen's aborted read).
	FailedRead Anomaly = "read of a failed write"
	// PhantomRead: a value was polled, or polled from a key, that nobody sent there.
	PhantomRead Anomaly = "read of what nobody wrote"
	// LostWrite: an acknowledged value was never polled, though later ones of its key were.
	LostWrite Anomaly = "lost write"
	// Unseen: an acknowledged value was never polled; it lies behind all that were.
	Unseen Anomaly = "unseen write"
	// PollBack and SendBack: offsets that do not grow, within an operation or
	// from one to the client's next on the same key.
	PollBack Anomaly = "non-monotonic poll"
	SendBack Anomaly = "non-monotonic send"
	// PollSkip: a poll steps over a known offset.
	PollSkip Anomaly = "skipped poll"
	// StaleEnd: an end that lies below what was acknowledged, polled or told before.
	StaleEnd Anomaly = "stale end"
	// CommitLost: a committed offset, or the start of an assignment, below a
	// commit that was acknowledged before.
	CommitLost Anomaly = "commit taken back"
	// CommitAhead: a committed offset, or the start of an assignment, beyond
	// everything that anybody has asked to commit.
	CommitAhead Anomaly = "commit of nobody"
)

// Finding is one anomaly with its evidence.
type Finding struct {
	Anomaly Anomaly
	What    string
}

func (f Finding) String() string { return string(f.Anomaly) + ": " + f.What }

// Report is what an analysis found, and how much there was to look at.
type Report struct {
	Findings []Finding
	Ops      map[Kind]int
	Unknown  int // operations
	Failed   int // operations
	Sent     int // messages that were acknowledged
	Polled   int // messages, each time they were
	Repeats  int // messages of producers that are not idempotent, beyond the first
	// Isolation is what there was of transactions, its findings among these; nil when
	// there were none.
	Isolation *isolation.Report
}

func (r Report) String() string {
	lines := []string{fmt.Sprintf("%v, %d failed, %d of unknown outcome; %d messages acknowledged, %d polled, %d repeated legally", r.Ops, r.Failed, r.Unknown, r.Sent, r.Polled, r.Repeats)}
	if i := r.Isolation; i != nil {
		told := *i
		told.Findings = nil // they are among these
		lines = append(lines, told.String())
	}
	count := map[Anomaly]int{}
	for _, f := range r.Findings {
		if count[f.Anomaly]++; count[f.Anomaly] <= 5 {
			lines = append(lines, f.String())
		}
	}
	for a, n := range count {
		if n > 5 {
			lines = append(lines, fmt.Sprintf("%s: %d in all", a, n))
		}
	}
	return strings.Join(lines, "\n")
}

// place is where a value was seen.
type place struct {
	key    string
	offset int64
}

// sent is what the history tells of a value's send.
type sent struct {
	key    string
	status Status
	once   bool
	offset int64
	client string
}

// analysis is a history put in order.
type analysis struct {
	Report
	ops    []Op
	writes map[int64]sent // by value
	at     map[place]int64
	places map[int64][]place  // of each value that was seen
	known  map[string][]int64 // offsets of each key, sorted
	polled map[int64]bool
	read   map[string]int64 // the highest polled offset of a key
}

// Analyse looks for anomalies. Unseen writes are told only if the history ends
// with somebody who reads everything.
//
// Transactions are looked at as internal/isolation does. torn says that one may end in
// one partition after the other, and after that was answered, as it does in Kafka.
func Analyse(ops []Op, complete, torn bool) Report {
	a := &analysis{ops: settle(ops), writes: map[int64]sent{}, at: map[place]int64{}, places: map[int64][]place{},
		known: map[string][]int64{}, polled: map[int64]bool{}, read: map[string]int64{}}
	a.Ops = map[Kind]int{}
	a.order()
	a.values(complete)
	a.clients()
	a.ends(Ends)
	a.ends(Stable)
	a.commits()
	if h := transactions(ops); len(h.Txns) > 0 {
		h.AtOnce = !torn
		r := isolation.Check(h)
		for _, f := range r.Findings {
			a.found(Anomaly(f.Anomaly), "%s", f.What)
		}
		a.Isolation = &r
	}
	return a.Report
}

func (a *analysis) found(what Anomaly, format string, args ...any) {
	a.Findings = append(a.Findings, Finding{what, fmt.Sprintf(format, args...)})
}

// order finds out which value lies at which offset.
func (a *analysis) order() {
	for _, op := range a.ops {
		a.Ops[op.Kind]++
		switch op.Status {
		case Unknown:
			a.Unknown++
		case Failed:
			a.Failed++
		}
		for _, m := range op.Messages {
			if op.Kind == Send {
				a.writes[m.Value] = sent{m.Key, op.Status, op.Once, m.Offset, op.Client}
			}
		}
	}
	for _, op := range a.ops {
		for _, m := range op.Messages {
			switch {
			case op.Kind == Poll:
				a.Polled++
				a.polled[m.Value] = true
				if before, ok := a.read[m.Key]; !ok || m.Offset > before {
					a.read[m.Key] = m.Offset
				}
			case op.Status == OK:
				a.Sent++
			}
			if m.Offset >= 0 && (op.Kind == Poll || op.Status == OK) {
				a.see(op, m)
			}
		}
	}
	for p := range a.at {
		a.known[p.key] = append(a.known[p.key], p.offset)
	}
	for _, offsets := range a.known {
		slices.Sort(offsets)
	}
}

func (a *analysis) see(op Op, m Message) {
	p := place{m.Key, m.Offset}
	before, ok := a.at[p]
	switch {
	case !ok:
		a.at[p] = m.Value
	case before != m.Value:
		a.found(InconsistentOffset, "%s at %d is %d, and %d for the %s of %s at %v", m.Key, m.Offset, before, m.Value, op.Kind, op.Client, op.End)
	}
	if !slices.Contains(a.places[m.Value], p) {
		a.places[m.Value] = append(a.places[m.Value], p)
	}
}

// values looks at each value by itself.
func (a *analysis) values(complete bool) {
	for value, places := range a.places {
		w, ok := a.writes[value]
		for _, p := range places {
			if !ok || p.key != w.key {
				a.found(PhantomRead, "%d in %s at %d", value, p.key, p.offset)
			}
		}
		if ok && w.status == Failed && a.polled[value] {
			a.found(FailedRead, "%d in %s, which %s was told to have failed, is at %v", value, w.key, w.client, places)
		}
		if ok && len(places) > 1 {
			if w.once {
				a.found(Duplicate, "%d of %s is at %v", value, w.client, places)
			} else {
				a.Repeats += len(places) - 1
			}
		}
	}
	for value, w := range a.writes {
		if w.status != OK || a.polled[value] {
			continue
		}
		if last, ok := a.read[w.key]; ok && w.offset <= last {
			a.found(LostWrite, "%d of %s was acknowledged in %s at %d and never polled; others were up to %d", value, w.client, w.key, w.offset, last)
		} else if complete {
			a.found(Unseen, "%d of %s was acknowledged in %s at %d and never polled", value, w.client, w.key, w.offset)
		}
	}
}

// between tells of a known offset of a key from first on and below end.
func (a *analysis) between(key string, first, end int64) (int64, bool) {
	offsets := a.known[key]
	i, _ := slices.BinarySearch(offsets, first)
	if i < len(offsets) && offsets[i] < end {
		return offsets[i], true
	}
	return 0, false
}

// clients follows each client from operation to operation.
func (a *analysis) clients() {
	type mine struct{ client, key string }
	next := map[mine]int64{} // where a client's next poll of a key begins
	last := map[mine]int64{} // the offset of a client's last send to a key
	for _, op := range a.ops {
		switch op.Kind {
		case Assign, Revoke:
			for key, at := range op.Offsets {
				delete(next, mine{op.Client, key})
				if op.Kind == Assign && at != Committed {
					next[mine{op.Client, key}] = at
				}
			}
		case Poll:
			for _, m := range op.Messages {
				at := mine{op.Client, m.Key}
				if want, ok := next[at]; ok {
					if m.Offset < want {
						a.found(PollBack, "%s polls %s at %d after %d, at %v", op.Client, m.Key, m.Offset, want-1, op.End)
					} else if skipped, ok := a.between(m.Key, want, m.Offset); ok {
						a.found(PollSkip, "%s polls %s at %d after %d and steps over %d, at %v", op.Client, m.Key, m.Offset, want-1, skipped, op.End)
					}
				}
				next[at] = m.Offset + 1
			}
		case Send:
			if op.Status != OK {
				continue
			}
			for _, m := range op.Messages {
				at := mine{op.Client, m.Key}
				if before, ok := last[at]; ok && op.Once && m.Offset <= before {
					a.found(SendBack, "%s sends to %s and is told %d after %d, at %v", op.Client, m.Key, m.Offset, before, op.End)
				}
				last[at] = m.Offset
			}
		}
	}
}

// byTime calls begin for each operation at its start and end at its end, in the
// order of time; at one moment, starts first: they may have seen the end or not.
func byTime(ops []Op, begin, end func(Op)) {
	type moment struct {
		op    *Op
		ended bool
	}
	moments := make([]moment, 0, 2*len(ops))
	for i := range ops {
		moments = append(moments, moment{&ops[i], false}, moment{&ops[i], true})
	}
	when := func(m moment) (int64, int) {
		if m.ended {
			return int64(m.op.End), 1
		}
		return int64(m.op.Start), 0
	}
	slices.SortStableFunc(moments, func(x, y moment) int {
		xt, xe := when(x)
		yt, ye := when(y)
		return cmp.Or(cmp.Compare(xt, yt), cmp.Compare(xe, ye))
	})
	for _, m := range moments {
		if m.ended {
			end(*m.op)
		} else {
			begin(*m.op)
		}
	}
}
