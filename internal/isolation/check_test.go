package isolation

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLegal(t *testing.T) {
	var all Report
	for seed := range uint64(40) {
		n := 2000
		if seed == 0 {
			n = 30_000
		}
		r := Check(legal(seed, n))
		if len(r.Findings) > 0 {
			t.Fatalf("seed %d: %v", seed, r)
		}
		if r.Committed < 100 || r.Settled == 0 || r.Aborted == 0 || r.Open == 0 || r.WriteCycles == 0 || r.ReadCycles < r.WriteCycles || r.Consumed < 100 {
			t.Errorf("seed %d is no history of everything: %v", seed, r)
		}
		for k := range kinds {
			if r.Edges[k.String()] < 100 {
				t.Errorf("seed %d has %d edges %s", seed, r.Edges[k.String()], k)
			}
		}
		all = r
	}
	t.Log(all)
}

// spoiler changes one thing in a history, which it picks itself; false when there is
// nothing of the kind.
type spoiler func(h *History, pick func(n int, fits func(i int) bool) int)

// TestSpoiled changes one thing in a long legal history: it must be found.
func TestSpoiled(t *testing.T) {
	committed := func(h *History) map[string]int { // values, with their transactions
		of := map[string]int{}
		for _, s := range h.Sends {
			for _, rec := range s.Records {
				if s.Txn != NoTxn && h.Txns[s.Txn].Outcome == Committed {
					of[rec.Value] = s.Txn
				}
			}
		}
		return of
	}
	ended := func(h *History, i int) bool { return h.Txns[i].Outcome != Unknown }
	for _, test := range []struct {
		name  string
		want  Anomaly
		spoil spoiler
	}{
		{"an abort that is not in the list", G1a, func(h *History, pick func(int, func(int) bool) int) {
			i := pick(len(h.Sends), func(i int) bool { return h.Txns[h.Sends[i].Txn].Outcome == Aborted && h.Sends[i].End != Never })
			rec := h.Sends[i].Records[0]
			p := pick(len(h.Polls), func(p int) bool { return h.Polls[p].Start > h.Txns[h.Sends[i].Txn].End.End })
			h.Polls[p].Records = append(h.Polls[p].Records, rec)
		}},
		{"a last stable offset that runs ahead", G1cRealtime, func(h *History, pick func(int, func(int) bool) int) {
			i := pick(len(h.Sends), func(i int) bool {
				end := h.Txns[h.Sends[i].Txn].End.Start
				return ended(h, h.Sends[i].Txn) && h.Txns[h.Sends[i].Txn].Outcome == Committed &&
					slices.ContainsFunc(h.Polls, func(p Poll) bool {
						return p.Txn != h.Sends[i].Txn && p.Start > h.Sends[i].End && p.End < end
					})
			})
			for p := range h.Polls {
				if h.Polls[p].Txn != h.Sends[i].Txn && h.Polls[p].Start > h.Sends[i].End && h.Polls[p].End < h.Txns[h.Sends[i].Txn].End.Start {
					h.Polls[p].Records = append(h.Polls[p].Records, h.Sends[i].Records[0])
					return
				}
			}
		}},
		{"a transaction reads itself", G1c, func(h *History, pick func(int, func(int) bool) int) {
			of := committed(h)
			p := pick(len(h.Polls), func(p int) bool {
				return h.Polls[p].Txn != NoTxn && slices.ContainsFunc(h.Sends, func(s Send) bool {
					return s.Txn == h.Polls[p].Txn && s.End != Never && of[s.Records[0].Value] == s.Txn && h.Txns[s.Txn].Outcome == Committed
				})
			})
			for _, s := range h.Sends {
				if s.Txn == h.Polls[p].Txn && s.End != Never {
					h.Polls[p].Records = append(h.Polls[p].Records, s.Records[0])
					return
				}
			}
		}},
		{"a fenced producer commits", Zombie, func(h *History, pick func(int, func(int) bool) int) {
			next := func(i int) int {
				of := h.Inits[h.Txns[i].Init]
				return slices.IndexFunc(h.Inits, func(in Init) bool { return in.ID == of.ID && in.Order > of.Order && in.End != Never })
			}
			i := pick(len(h.Txns), func(i int) bool {
				return h.Txns[i].Outcome == Unknown && h.Txns[i].End.End == Never && next(i) >= 0
			})
			end := h.Inits[next(i)].End
			h.Txns[i].Outcome, h.Txns[i].End = Committed, Span{end + 1, end + 2}
		}},
		{"a marker that comes late", GSingle, func(h *History, pick func(int, func(int) bool) int) {
			i := pick(len(h.Sends), func(i int) bool { return ended(h, h.Sends[i].Txn) && h.Sends[i].End != Never })
			s := pick(len(h.Stables), func(s int) bool { return h.Stables[s].Start > h.Txns[h.Sends[i].Txn].End.End })
			h.Stables[s].Ends[h.Sends[i].Records[0].Key] = h.Sends[i].Records[0].Offset
		}},
		{"two appends in the wrong order", G0Realtime, func(h *History, pick func(int, func(int) bool) int) {
			last := func(i int) int {
				return slices.IndexFunc(h.Sends, func(s Send) bool {
					return s.Records[0].Key == h.Sends[i].Records[0].Key && s.Start > h.Sends[i].End && len(s.Records) == 1 && s.End != Never
				})
			}
			i := pick(len(h.Sends), func(i int) bool {
				return len(h.Sends[i].Records) == 1 && h.Sends[i].End != Never && last(i) >= 0
			})
			a, b := &h.Sends[i].Records[0], &h.Sends[last(i)].Records[0]
			one, two := a.Value, b.Value
			a.Offset, b.Offset = b.Offset, a.Offset
			for p := range h.Polls {
				for j := range h.Polls[p].Records {
					switch rec := &h.Polls[p].Records[j]; rec.Value {
					case one:
						rec.Value = two
					case two:
						rec.Value = one
					}
				}
			}
		}},
		{"consumed again", Twice, func(h *History, pick func(int, func(int) bool) int) {
			eats := func(p int) bool {
				return h.Polls[p].Txn != NoTxn && h.Txns[h.Polls[p].Txn].Group != "" && h.Txns[h.Polls[p].Txn].Outcome == Committed && len(h.Polls[p].Records) > 0
			}
			p := pick(len(h.Polls), eats)
			q := pick(len(h.Polls), func(q int) bool {
				return eats(q) && h.Polls[q].Txn > h.Polls[p].Txn && h.Polls[q].Records[0].Key == h.Polls[p].Records[0].Key
			})
			h.Polls[q].Records = append(h.Polls[q].Records, h.Polls[p].Records[0])
		}},
		{"left out", Skipped, func(h *History, pick func(int, func(int) bool) int) {
			p := pick(len(h.Polls), func(p int) bool {
				return h.Polls[p].Txn != NoTxn && h.Txns[h.Polls[p].Txn].Group != "" && h.Txns[h.Polls[p].Txn].Outcome == Committed && len(h.Polls[p].Records) > 0
			})
			h.Polls[p].Records = h.Polls[p].Records[1:]
		}},
		{"another value", InconsistentOffset, func(h *History, pick func(int, func(int) bool) int) {
			p := pick(len(h.Polls), func(p int) bool { return len(h.Polls[p].Records) > 1 })
			h.Polls[p].Records[0].Value = h.Polls[p].Records[1].Value
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(10) {
				h := legal(seed, 3000)
				rng := rand.New(rand.NewPCG(seed, 9))
				// pick returns one that fits, somewhere in the middle.
				pick := func(n int, fits func(i int) bool) int {
					for range 100_000 {
						if i := n/4 + rng.IntN(n/2); fits(i) {
							return i
						}
					}
					t.Fatalf("seed %d has nothing to spoil", seed)
					return 0
				}
				test.spoil(&h, pick)
				if r := Check(h); !r.Has(test.want) {
					t.Errorf("seed %d: not found\n%v", seed, r)
				}
			}
		})
	}
}
