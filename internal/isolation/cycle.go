package isolation

import (
	"fmt"
	"slices"
	"strings"
)

// search is one pass over the graph: cycles of edges of some kinds, with at least one
// of a kind, have a name.
type search struct {
	name  Anomaly
	of    []kind
	needs kind
}

// searches go from what says most to what needs more edges. What lies on a cycle of
// one is left out by the next ones, which could not tell one from the other.
var searches = []search{
	{G1c, []kind{wr, in}, wr},
	{G0Realtime, []kind{ww, in, rt}, ww},
	{G1cRealtime, []kind{ww, wr, in, rt}, wr},
	{Zombie, []kind{ww, wr, in, rt, up}, up},
	{GSingle, []kind{ww, wr, in, rt, up, rw}, rw},
}

// mostTried bounds the edges of one component through which a shortest cycle is looked for.
const mostTried = 300

// cycles reports one cycle, the shortest, of each strongly connected component.
func (g *graph) cycles(r *Report) {
	told := make([]bool, len(g.out))
	for _, s := range searches {
		follow := func(e edge) bool { return slices.Contains(s.of, e.kind) }
		comp, n := components(g.out, follow)
		size := make([]int, n)
		spoiled := make([]bool, n)
		for v, c := range comp {
			size[c]++
			spoiled[c] = spoiled[c] || told[v]
		}
		shortest := map[int][]step{}
		tried := map[int]int{}
		for v, es := range g.out {
			c := comp[v]
			if size[c] < 2 || spoiled[c] {
				continue
			}
			for _, e := range es {
				if e.kind != s.needs || comp[e.to] != c || tried[c] == mostTried {
					continue
				}
				tried[c]++
				back := path(g.out, e.to, v, func(e edge) bool { return follow(e) && comp[e.to] == c })
				if cycle := append([]step{{v, e}}, back...); shortest[c] == nil || len(cycle) < len(shortest[c]) {
					shortest[c] = cycle
				}
			}
		}
		for v, c := range comp {
			told[v] = told[v] || shortest[c] != nil
		}
		for c := range n {
			if cycle := shortest[c]; cycle != nil {
				r.found(s.name, "%s", g.explain(cycle))
			}
		}
	}
}

// step is an edge with where it begins.
type step struct {
	from int
	edge edge
}

// explain writes a cycle down, a line for each step.
func (g *graph) explain(cycle []step) string {
	var b strings.Builder
	fmt.Fprintf(&b, "a cycle of %d", len(cycle))
	for i, s := range cycle {
		fmt.Fprintf(&b, "\n  %d. %s\n     -%s-> %s", i+1, g.name(s.from), s.edge.kind, g.why(s.edge))
	}
	fmt.Fprintf(&b, "\n  1. again")
	return b.String()
}

// components numbers the strongly connected components of the edges that are to be
// followed (Tarjan 1972, without recursion), and tells how many there are.
func components(out [][]edge, follow func(edge) bool) (comp []int, n int) {
	index, low, comp := make([]int, len(out)), make([]int, len(out)), make([]int, len(out))
	for v := range comp {
		comp[v] = -1
	}
	type frame struct{ v, next int }
	var stack []int
	var calls []frame
	count := 0
	for root := range out {
		if index[root] != 0 {
			continue
		}
		calls = append(calls, frame{root, 0})
		for len(calls) > 0 {
			f := &calls[len(calls)-1]
			v := f.v
			if f.next == 0 {
				count++
				index[v], low[v] = count, count
				stack = append(stack, v)
			}
			called := false
			for f.next < len(out[v]) {
				e := out[v][f.next]
				f.next++
				if !follow(e) {
					continue
				}
				if index[e.to] == 0 {
					calls = append(calls, frame{e.to, 0})
					called = true
					break
				}
				if comp[e.to] < 0 {
					low[v] = min(low[v], index[e.to])
				}
			}
			if called {
				continue
			}
			if low[v] == index[v] {
				for {
					u := stack[len(stack)-1]
					stack = stack[:len(stack)-1]
					comp[u] = n
					if u == v {
						break
					}
				}
				n++
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				p := calls[len(calls)-1].v
				low[p] = min(low[p], low[v])
			}
		}
	}
	return comp, n
}

// path is a shortest way from one node to another by the edges that are to be
// followed; nil when there is none.
func path(out [][]edge, from, to int, follow func(edge) bool) []step {
	came := map[int]step{from: {from: -1}}
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		v := queue[0]
		if v == to {
			var way []step
			for s := came[to]; s.from >= 0; s = came[s.from] {
				way = append(way, s)
			}
			slices.Reverse(way)
			return way
		}
		for _, e := range out[v] {
			if _, known := came[e.to]; !known && follow(e) {
				came[e.to] = step{v, e}
				queue = append(queue, e.to)
			}
		}
	}
	return nil
}
