package isolation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// logs is what a history tells of the keys' contents.
type logs struct {
	byKey  map[string][]Record // by offset
	writer map[string]int      // of each value: the index of its Send
	key    map[string]string   // of each value: where it was sent to
	seen   map[string]bool     // values that were polled
}

func newLogs(h *History, r *Report) *logs {
	l := &logs{byKey: map[string][]Record{}, writer: map[string]int{}, key: map[string]string{}, seen: map[string]bool{}}
	type place struct {
		key    string
		offset int64
	}
	at := map[place]string{}
	note := func(rec Record) {
		p := place{rec.Key, rec.Offset}
		switch before, ok := at[p]; {
		case rec.Offset < 0:
		case !ok:
			at[p] = rec.Value
			l.byKey[rec.Key] = append(l.byKey[rec.Key], rec)
		case before != rec.Value:
			r.found(InconsistentOffset, "%v, and %s there", rec, before)
		}
	}
	for i := range h.Sends {
		for _, rec := range h.Sends[i].Records {
			l.writer[rec.Value], l.key[rec.Value] = i, rec.Key
			note(rec)
		}
	}
	for i := range h.Polls {
		for _, rec := range h.Polls[i].Records {
			if key, ok := l.key[rec.Value]; !ok || key != rec.Key {
				r.found(Phantom, "%v, polled by %s", rec, h.Polls[i].Client)
				continue
			}
			l.seen[rec.Value] = true
			note(rec)
		}
	}
	for _, log := range l.byKey {
		slices.SortFunc(log, func(a, b Record) int { return cmp.Compare(a.Offset, b.Offset) })
	}
	return l
}

// at is the record at an offset, if it is known.
func (l *logs) at(key string, offset int64) (Record, bool) {
	i, ok := slices.BinarySearchFunc(l.byKey[key], offset, func(r Record, o int64) int { return cmp.Compare(r.Offset, o) })
	if !ok {
		return Record{}, false
	}
	return l.byKey[key][i], true
}

// Check looks for anomalies in a history.
func Check(h History) Report {
	r := Report{Edges: map[string]int{}}
	l := newLogs(&h, &r)
	committed := l.outcomes(&h, &r)
	l.aborted(&h, &r)
	g := newGraph(&h, committed)
	g.build(l)
	for k, n := range g.edges {
		r.Edges[kind(k).String()] = n
	}
	g.cycles(&r)
	l.legal(&h, committed, &r)
	l.consumed(&h, committed, &r)
	return r
}

// outcomes finds out which transactions are committed: told, or seen.
func (l *logs) outcomes(h *History, r *Report) (committed []bool) {
	committed = make([]bool, len(h.Txns))
	for i := range h.Sends {
		for _, rec := range h.Sends[i].Records {
			if t := h.Sends[i].Txn; t != NoTxn && l.seen[rec.Value] {
				committed[t] = true
			}
		}
	}
	for i := range h.Txns {
		switch t := &h.Txns[i]; {
		case t.Outcome == Committed:
			committed[i] = true
			r.Committed++
		case t.Outcome == Aborted:
			committed[i] = false // G1a, if it was seen
			r.Aborted++
		case committed[i]:
			r.Committed++
			r.Settled++
		default:
			r.Open++
		}
	}
	return committed
}

// aborted looks for polls of what was aborted.
func (l *logs) aborted(h *History, r *Report) {
	for i := range h.Polls {
		p := &h.Polls[i]
		for _, rec := range p.Records {
			at, ok := l.writer[rec.Value]
			if !ok {
				continue
			}
			if t := h.Sends[at].Txn; t != NoTxn && h.Txns[t].Outcome == Aborted {
				why := "whose client has not asked for a commit"
				if end := h.Txns[t].End.End; end != Never {
					why = fmt.Sprintf("whose client was told at %v that it is aborted", end)
				}
				r.found(G1a, "%v of %s, %s, was polled by %s at %v", rec, h.Txns[t].Name, why, p.Client, p.End)
			}
		}
	}
}

// legal counts what Kafka's transactions allow: cycles of the writes of whole
// transactions, and of their writes and reads.
func (l *logs) legal(h *History, committed []bool, r *Report) {
	out := make([][]edge, len(h.Txns))
	of := func(value string) int {
		if at, ok := l.writer[value]; ok {
			if t := h.Sends[at].Txn; t != NoTxn && committed[t] {
				return t
			}
		}
		return NoTxn
	}
	for _, key := range slices.Sorted(maps.Keys(l.byKey)) {
		last := NoTxn
		for _, rec := range l.byKey[key] {
			t := of(rec.Value)
			if t == NoTxn || t == last {
				continue
			}
			if last != NoTxn {
				out[last] = append(out[last], edge{t, ww, rec})
			}
			last = t
		}
	}
	for i := range h.Polls {
		if to := h.Polls[i].Txn; to != NoTxn && committed[to] {
			for _, rec := range h.Polls[i].Records {
				if t := of(rec.Value); t != NoTxn && t != to {
					out[t] = append(out[t], edge{to, wr, rec})
				}
			}
		}
	}
	on := func(follow func(edge) bool) (n int) {
		comp, _ := components(out, follow)
		size := map[int]int{}
		for _, c := range comp {
			size[c]++
		}
		for _, c := range comp {
			if size[c] > 1 {
				n++
			}
		}
		return n
	}
	r.WriteCycles = on(func(e edge) bool { return e.kind == ww })
	r.ReadCycles = on(func(edge) bool { return true })
}

// consumed looks at what committed transactions have consumed for groups: each
// record once.
func (l *logs) consumed(h *History, committed []bool, r *Report) {
	type eaten struct{ group, value string }
	by := map[eaten]int{}
	for i := range h.Polls {
		p := &h.Polls[i]
		if p.Txn == NoTxn || !committed[p.Txn] {
			continue
		}
		t := &h.Txns[p.Txn]
		for _, rec := range p.Records {
			if rec.Offset >= t.Offsets[rec.Key] {
				continue // not committed with it, or no member of a group
			}
			e := eaten{t.Group, rec.Value}
			if before, twice := by[e]; twice {
				r.found(Twice, "%v, by %s and by %s of group %s", rec, h.Txns[before].Name, t.Name, t.Group)
			}
			by[e] = p.Txn
			r.Consumed++
		}
	}
	for _, group := range slices.Sorted(maps.Keys(h.Groups)) {
		for _, key := range slices.Sorted(maps.Keys(h.Groups[group])) {
			for _, rec := range l.byKey[key] {
				if _, ok := by[eaten{group, rec.Value}]; !ok && l.seen[rec.Value] && rec.Offset < h.Groups[group][key] {
					r.found(Skipped, "%v, and group %s is at %d", rec, group, h.Groups[group][key])
				}
			}
		}
	}
}
