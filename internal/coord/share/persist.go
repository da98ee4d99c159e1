package share

import (
	"slices"
	"time"
)

// change makes the Write of a Step: what the ranges in p.touched have become.
func (p *Partition) change() {
	w := &p.write
	w.Start, w.Done, w.Batches = p.start, int32(min(p.done, 1<<31-1)), w.Batches[:0]
	slices.SortFunc(p.touched, func(a, b span) int { return int(min(1, max(-1, a.first-b.first))) })
	i := 0
	for _, s := range p.touched {
		for i < len(p.runs) && p.runs[i].last < s.first {
			i++
		}
		for j := i; j < len(p.runs) && p.runs[j].first <= s.last; j++ {
			r := p.runs[j]
			r.first, r.last = max(r.first, s.first), min(r.last, s.last)
			w.Batches = p.entry(w.Batches, &r)
		}
	}
	p.out.Write = w
}

// entry appends the durable state of a run, to the last one where it is the same.
func (p *Partition) entry(es []Entry, r *run) []Entry {
	e := Entry{First: r.first, Last: r.last, State: r.state, Acquired: r.acquired, Failed: r.failed}
	switch r.state {
	case Acquired:
		e.State = Available
		if r.kept {
			e.Member, e.Lock = p.members[r.member], p.wall(r.lock)
		}
	case Dying:
		// Only with the dead letter it is finished.
		e.State = Available
	case Available:
		e.Due = p.wall(r.lock)
	}
	if n := len(es); n > 0 {
		last := es[n-1]
		last.First, last.Last = e.First, e.Last
		if es[n-1].Last+1 == e.First && last == e {
			es[n-1].Last = e.Last
			return es
		}
	}
	return append(es, e)
}

// Snapshot is the whole durable state, for Kafka's ShareSnapshot: what it does not
// name, between Start and the last range, is available and was never delivered.
func (p *Partition) Snapshot() Write {
	w := Write{Start: p.start, Done: int32(min(p.done, 1<<31-1))}
	for i := range p.runs {
		r := &p.runs[i]
		if r.state == Acquired && !r.kept && r.failed == 0 && r.acquired <= 1 {
			continue // as if it had not been delivered
		}
		if r.state == Available && r.acquired == 0 && r.failed == 0 {
			continue
		}
		w.Batches = p.entry(w.Batches, r)
	}
	return w
}

// Restore makes a share-partition of a snapshot.
func Restore(cfg Config, now time.Time, w Write) *Partition {
	p := New(cfg, now, w.Start)
	p.Replay(w)
	return p
}

// Replay takes in an update that was read from the log, before the first Step.
func (p *Partition) Replay(w Write) {
	if w.Start > p.start {
		p.forget(w.Start)
	}
	for _, e := range w.Batches {
		if e.Last < p.start || e.First > e.Last {
			continue
		}
		p.put(e)
	}
	p.settle()
}

// put lays an entry over the runs.
func (p *Partition) put(e Entry) {
	n := run{first: max(e.First, p.start), last: e.Last, state: e.State, acquired: e.Acquired, failed: e.Failed, member: none}
	switch {
	case e.State == Available && e.Member != "":
		n.state, n.member, n.lock, n.kept = Acquired, p.memberIndex(e.Member), p.clock(e.Lock), true
	case e.State == Available:
		n.lock = p.clock(e.Due)
	}
	out := p.rewrite()
	placed := false
	for _, r := range p.runs {
		if r.last < n.first {
			out = push(out, r)
			continue
		}
		out = cut(out, &r, n.first)
		if !placed {
			out = push(out, n)
			placed = true
		}
		if r.last > n.last {
			r.first = max(r.first, n.last+1)
			out = push(out, r)
		}
	}
	if !placed {
		if p.end < n.first {
			out = push(out, run{first: p.end, last: n.first - 1, member: none})
		}
		out = push(out, n)
	}
	p.end = max(p.end, n.last+1)
	p.rewritten(out)
}
