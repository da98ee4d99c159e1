package isolation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// kind is why one operation came before another one.
type kind uint8

const (
	ww kind = iota
	wr
	rw
	in
	up
	rt
	kinds
)

func (k kind) String() string { return [...]string{"ww", "wr", "rw", "in", "up", "rt"}[k] }

// edge leads to an operation that came later.
type edge struct {
	to   int
	kind kind
	rec  Record // that shows it, of ww, wr and rw
}

// graph has a node for each operation that takes effect at one moment.
type graph struct {
	h     *History
	spans []Span
	out   [][]edge
	edges [kinds]int
	// The first node of each sort; the ends of transactions come last.
	polls, stables, inits, ends int
}

func newGraph(h *History, committed []bool) *graph {
	g := &graph{h: h}
	for i := range h.Sends {
		g.spans = append(g.spans, h.Sends[i].Span)
	}
	g.polls = len(g.spans)
	for i := range h.Polls {
		g.spans = append(g.spans, h.Polls[i].Span)
	}
	g.stables = len(g.spans)
	for i := range h.Stables {
		g.spans = append(g.spans, h.Stables[i].Span)
	}
	g.inits = len(g.spans)
	for i := range h.Inits {
		g.spans = append(g.spans, h.Inits[i].Span)
	}
	g.ends = len(g.spans)
	for i := range h.Txns {
		end := h.Txns[i].End
		if !committed[i] {
			end.Start = 0
		}
		g.spans = append(g.spans, end)
	}
	g.out = make([][]edge, len(g.spans))
	return g
}

func (g *graph) link(from, to int, k kind, rec Record) {
	g.out[from] = append(g.out[from], edge{to, k, rec})
	g.edges[k]++
}

// build draws all edges.
func (g *graph) build(logs *logs) {
	for i, s := range g.h.Sends {
		if s.End == Never && !slices.ContainsFunc(s.Records, func(rec Record) bool { return logs.seen[rec.Value] }) {
			continue // it may never have been done
		}
		if s.Txn != NoTxn {
			g.link(i, g.ends+s.Txn, in, Record{})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(logs.byKey)) {
		last := -1 // node
		for _, r := range logs.byKey[key] {
			if at := logs.writer[r.Value]; at != last {
				if last >= 0 {
					g.link(last, at, ww, r)
				}
				last = at
			}
		}
	}
	for i := range g.h.Polls {
		p := &g.h.Polls[i]
		if p.Txn != NoTxn {
			g.link(g.polls+i, g.ends+p.Txn, in, Record{})
		}
		seen := map[int]bool{}
		for _, r := range p.Records {
			at, ok := logs.writer[r.Value]
			if !ok {
				continue // told of already
			}
			if t := g.h.Sends[at].Txn; t != NoTxn {
				if at = g.ends + t; g.h.Txns[t].Outcome == Aborted {
					continue // so is this
				}
			}
			if !seen[at] {
				seen[at] = true
				g.link(at, g.polls+i, wr, r)
			}
		}
	}
	if g.h.AtOnce {
		for i := range g.h.Stables {
			g.open(i, logs)
		}
	}
	g.fences()
	g.realtime()
}

// open draws the edges of an answer about last stable offsets: each is the end of what is
// durable or the first record of an open transaction, and of one that ends later in
// either case.
func (g *graph) open(i int, logs *logs) {
	ends := g.h.Stables[i].Ends
	for _, key := range slices.Sorted(maps.Keys(ends)) {
		if r, ok := logs.at(key, ends[key]); ok {
			if t := g.h.Sends[logs.writer[r.Value]].Txn; t != NoTxn {
				g.link(g.stables+i, g.ends+t, rw, r)
			}
		}
	}
}

// fences draws the edges from the transactions of each incarnation of a
// transactional id to the next one.
func (g *graph) fences() {
	byID := map[string][]int{}
	for i := range g.h.Inits {
		id := g.h.Inits[i].ID
		byID[id] = append(byID[id], i)
	}
	next := map[int]int{}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		is := byID[id]
		slices.SortFunc(is, func(a, b int) int { return cmp.Compare(g.h.Inits[a].Order, g.h.Inits[b].Order) })
		for j := 1; j < len(is); j++ {
			next[is[j-1]] = is[j]
			g.link(g.inits+is[j-1], g.inits+is[j], up, Record{})
		}
	}
	for i := range g.h.Txns {
		if to, ok := next[g.h.Txns[i].Init]; ok {
			g.link(g.ends+i, g.inits+to, up, Record{})
		}
	}
}

// realtime draws an edge from each operation to those that began after its end, but
// for what follows from other such edges: from a frontier of ended operations none of
// which came before another one.
func (g *graph) realtime() {
	type moment struct {
		at    time.Duration
		ended bool
		node  int
	}
	moments := make([]moment, 0, 2*len(g.spans))
	for i, s := range g.spans {
		moments = append(moments, moment{s.Start, false, i})
		if s.End != Never {
			moments = append(moments, moment{s.End, true, i})
		}
	}
	// At one moment, starts first: they may have seen the end or not.
	slices.SortFunc(moments, func(a, b moment) int {
		switch {
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		case a.ended != b.ended && a.ended:
			return 1
		case a.ended != b.ended:
			return -1
		}
		return cmp.Compare(a.node, b.node)
	})
	var frontier []int
	for _, m := range moments {
		if m.ended {
			start := g.spans[m.node].Start
			frontier = slices.DeleteFunc(frontier, func(f int) bool { return g.spans[f].End < start })
			frontier = append(frontier, m.node)
			continue
		}
		for _, f := range frontier {
			g.link(f, m.node, rt, Record{})
		}
	}
}

// name tells what a node is.
func (g *graph) name(n int) string {
	of := func(client string, txn int) string {
		if txn != NoTxn {
			return client + " in " + g.h.Txns[txn].Name
		}
		return client
	}
	s := ""
	switch {
	case n < g.polls:
		o := &g.h.Sends[n]
		s = fmt.Sprintf("append of %s by %s", shortly(o.Records), of(o.Client, o.Txn))
	case n < g.stables:
		o := &g.h.Polls[n-g.polls]
		s = fmt.Sprintf("poll of %s by %s", shortly(o.Records), of(o.Client, o.Txn))
	case n < g.inits:
		o := &g.h.Stables[n-g.stables]
		s = "last stable offsets for " + o.Client
	case n < g.ends:
		o := &g.h.Inits[n-g.inits]
		s = fmt.Sprintf("fencing of %s by %s", o.ID, o.Client)
	default:
		o := &g.h.Txns[n-g.ends]
		s = fmt.Sprintf("end of %s (%s)", o.Name, o.Outcome)
	}
	if end := g.spans[n].End; end != Never {
		return fmt.Sprintf("%s [%v, %v]", s, g.spans[n].Start, end)
	}
	return fmt.Sprintf("%s [from %v on]", s, g.spans[n].Start)
}

// shortly is the first and the last of some records.
func shortly(rs []Record) string {
	switch len(rs) {
	case 0:
		return "nothing"
	case 1:
		return rs[0].String()
	}
	return fmt.Sprintf("%d records from %v to %v", len(rs), rs[0], rs[len(rs)-1])
}

func (r Record) String() string { return fmt.Sprintf("%s in %s at %d", r.Value, r.Key, r.Offset) }

// why tells what an edge of a cycle says.
func (g *graph) why(e edge) string {
	switch e.kind {
	case ww:
		return "the next known offset of its key is " + e.rec.String()
	case wr:
		return "was committed, as there was polled " + e.rec.String()
	case rw:
		return "it had not ended where the last stable offset was that of " + e.rec.String()
	case in:
		return "was a part of it"
	case up:
		return "was over when this fenced it"
	}
	return "had ended when this began"
}
