package isolation

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// story writes a small history, whose operations follow each other: the n-th one from
// 10n to 10n+5.
type story struct {
	h   History
	now time.Duration
}

func (s *story) span() Span {
	s.now += 10
	return Span{s.now, s.now + 5}
}

func (s *story) begin(name string) int {
	s.h.Txns = append(s.h.Txns, Txn{Name: name, Init: -1, End: Span{s.now, Never}})
	return len(s.h.Txns) - 1
}

func (s *story) send(txn int, key string, offset int64, value string) {
	s.h.Sends = append(s.h.Sends, Send{s.span(), "p", txn, []Record{{key, offset, value}}})
}

func (s *story) poll(txn int, rs ...Record) {
	s.h.Polls = append(s.h.Polls, Poll{s.span(), "r", txn, rs})
}

func (s *story) end(txn int, o Outcome) {
	s.h.Txns[txn].Outcome, s.h.Txns[txn].End = o, s.span()
}

func (s *story) init(id string, order int64) int {
	s.h.Inits = append(s.h.Inits, Init{s.span(), "p", id, order})
	return len(s.h.Inits) - 1
}

func (s *story) stable(key string, at int64) {
	s.h.Stables = append(s.h.Stables, Stable{s.span(), "r", map[string]int64{key: at}})
}

func names(r Report) (as []Anomaly) {
	for _, f := range r.Findings {
		as = append(as, f.Anomaly)
	}
	return as
}

// TestPlanted plants each anomaly in a small history; what is legal must pass.
func TestPlanted(t *testing.T) {
	for _, test := range []struct {
		name   string
		want   []Anomaly
		tell   func(s *story)
		legal  int // transactions on a cycle of writes
		legal2 int // and of writes and reads
	}{
		{name: "one transaction, read", tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.end(a, Committed)
			s.poll(NoTxn, Record{"x", 0, "1"})
		}},
		{name: "writes before each other in two keys", legal: 2, legal2: 2, tell: func(s *story) {
			a, b := s.begin("A"), s.begin("B")
			s.send(a, "x", 0, "1")
			s.send(b, "x", 1, "2")
			s.send(b, "y", 0, "3")
			s.send(a, "y", 1, "4")
			s.end(a, Committed)
			s.end(b, Committed)
			s.poll(NoTxn, Record{"x", 0, "1"}, Record{"x", 1, "2"}, Record{"y", 0, "3"}, Record{"y", 1, "4"})
		}},
		{name: "a write before that of another one, which is then read", legal2: 2, tell: func(s *story) {
			a, b := s.begin("A"), s.begin("B")
			s.send(a, "x", 0, "1")
			s.send(b, "x", 1, "2")
			s.send(b, "y", 0, "3")
			s.end(b, Committed)
			s.poll(a, Record{"y", 0, "3"})
			s.end(a, Committed)
		}},
		{name: "neither sees the other one's write (write skew)", tell: func(s *story) {
			a, b := s.begin("A"), s.begin("B")
			s.poll(a)
			s.poll(b)
			s.send(a, "x", 0, "1")
			s.send(b, "y", 0, "2")
			s.end(a, Committed)
			s.end(b, Committed)
		}},
		{name: "a reader gets some of a transaction's records, and the others later", tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.send(a, "x", 1, "2")
			s.end(a, Committed)
			s.poll(NoTxn, Record{"x", 0, "1"})
			s.poll(NoTxn, Record{"x", 1, "2"})
		}},
		{name: "aborted", want: []Anomaly{G1a}, tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.end(a, Aborted)
			s.poll(NoTxn, Record{"x", 0, "1"})
		}},
		{name: "aborted, and nobody reads it", tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.end(a, Aborted)
			s.poll(NoTxn)
		}},
		{name: "of unknown outcome, read", tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.h.Txns[a].End = Span{s.span().Start, Never}
			s.poll(NoTxn, Record{"x", 0, "1"})
		}},
		{name: "read before its commit", want: []Anomaly{G1cRealtime}, tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.poll(NoTxn, Record{"x", 0, "1"})
			s.end(a, Committed)
		}},
		{name: "read before its commit, in a transaction that commits later", want: []Anomaly{G1cRealtime}, tell: func(s *story) {
			a, b := s.begin("A"), s.begin("B")
			s.send(a, "x", 0, "1")
			s.poll(b, Record{"x", 0, "1"})
			s.end(a, Committed)
			s.end(b, Committed)
		}},
		{name: "read while it is being committed", tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.poll(NoTxn, Record{"x", 0, "1"})
			s.end(a, Committed)
			s.h.Txns[a].End.Start = s.h.Polls[0].End
		}},
		{name: "its own", want: []Anomaly{G1c}, tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.poll(a, Record{"x", 0, "1"})
			s.end(a, Committed)
		}},
		{name: "two that read each other", want: []Anomaly{G1c}, tell: func(s *story) {
			a, b := s.begin("A"), s.begin("B")
			s.send(a, "x", 0, "1")
			s.send(b, "y", 0, "2")
			s.poll(a, Record{"y", 0, "2"})
			s.poll(b, Record{"x", 0, "1"})
			s.end(a, Committed)
			s.end(b, Committed)
		}, legal2: 2},
		{name: "a circle of three, whose clocks say nothing", want: []Anomaly{G1c}, tell: func(s *story) {
			ts := []int{s.begin("A"), s.begin("B"), s.begin("C")}
			for i, key := range []string{"x", "y", "z"} {
				s.send(ts[i], key, 0, key)
			}
			for i, key := range []string{"z", "x", "y"} {
				s.poll(ts[i], Record{key, 0, key})
			}
			for _, t := range ts {
				s.end(t, Committed)
				s.h.Txns[t].End = Span{0, Never}
			}
			for i := range s.h.Polls {
				s.h.Polls[i].Span = Span{0, Never}
			}
		}, legal2: 3},
		{name: "offsets against time", want: []Anomaly{G0Realtime}, tell: func(s *story) {
			a, b := s.begin("A"), s.begin("B")
			s.send(a, "x", 1, "1")
			s.end(a, Committed)
			s.send(b, "x", 0, "2")
			s.end(b, Committed)
		}},
		{name: "an append behind what was polled before it", want: []Anomaly{G0Realtime}, tell: func(s *story) {
			a, b := s.begin("A"), s.begin("B")
			s.send(a, "x", 5, "1")
			s.end(a, Committed)
			s.poll(NoTxn, Record{"x", 5, "1"})
			s.send(b, "x", 4, "2")
			s.end(b, Committed)
		}},
		{name: "a fenced producer commits", want: []Anomaly{Zombie}, tell: func(s *story) {
			first := s.init("id", 1)
			a := s.begin("A")
			s.h.Txns[a].Init = first
			s.send(a, "x", 0, "1")
			s.init("id", 2)
			s.end(a, Committed)
		}},
		{name: "a fenced producer writes", want: []Anomaly{Zombie}, tell: func(s *story) {
			first := s.init("id", 1)
			a := s.begin("A")
			s.h.Txns[a].Init = first
			s.init("id", 2)
			s.send(a, "x", 0, "1")
		}},
		{name: "of a fenced producer nothing was decided, and it is read later", want: []Anomaly{GSingle}, tell: func(s *story) {
			first := s.init("id", 1)
			a := s.begin("A")
			s.h.Txns[a].Init = first
			s.send(a, "x", 0, "1")
			s.init("id", 2)
			s.stable("x", 0)
		}},
		{name: "a fenced producer tries to commit", tell: func(s *story) {
			first := s.init("id", 1)
			a := s.begin("A")
			s.h.Txns[a].Init = first
			s.send(a, "x", 0, "1")
			s.init("id", 2)
			s.end(a, Unknown)
			s.stable("x", 1)
		}},
		{name: "a fenced producer tries to write", tell: func(s *story) {
			first := s.init("id", 1)
			a := s.begin("A")
			s.h.Txns[a].Init = first
			s.init("id", 2)
			s.send(a, "x", -1, "1")
			s.h.Sends[0].End = Never
		}},
		{name: "another id is no fence", tell: func(s *story) {
			first := s.init("id", 1)
			a := s.begin("A")
			s.h.Txns[a].Init = first
			s.send(a, "x", 0, "1")
			s.init("other", 2)
			s.end(a, Committed)
		}},
		{name: "seen in one key, open in another one", want: []Anomaly{GSingle}, tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.send(a, "y", 0, "2")
			s.end(a, Committed)
			s.h.Txns[a].End.End = Never
			s.poll(NoTxn, Record{"x", 0, "1"})
			s.stable("y", 0)
		}},
		{name: "the same where markers come one by one", tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.send(a, "y", 0, "2")
			s.end(a, Committed)
			s.poll(NoTxn, Record{"x", 0, "1"})
			s.stable("y", 0)
			s.h.AtOnce = false
		}},
		{name: "told of its commit, and open", want: []Anomaly{GSingle}, tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.end(a, Committed)
			s.stable("x", 0)
		}},
		{name: "told of its abort, and open", want: []Anomaly{GSingle}, tell: func(s *story) {
			a := s.begin("A")
			s.send(a, "x", 0, "1")
			s.end(a, Aborted)
			s.stable("x", 0)
		}},
		{name: "told of its commit, behind one that is open", tell: func(s *story) {
			a, b := s.begin("A"), s.begin("B")
			s.send(b, "x", 0, "2")
			s.send(a, "x", 1, "1")
			s.end(a, Committed)
			s.stable("x", 0)
			s.end(b, Committed)
		}},
		{name: "two values at one offset", want: []Anomaly{InconsistentOffset}, tell: func(s *story) {
			s.send(NoTxn, "x", 0, "1")
			s.send(NoTxn, "x", -1, "2")
			s.poll(NoTxn, Record{"x", 0, "2"})
		}},
		{name: "what nobody wrote", want: []Anomaly{Phantom}, tell: func(s *story) {
			s.poll(NoTxn, Record{"x", 0, "1"})
		}},
		{name: "consumed twice", want: []Anomaly{Twice}, tell: func(s *story) { consume(s, Committed, Committed) }},
		{name: "consumed again after an abort", tell: func(s *story) { consume(s, Aborted, Committed) }},
		{name: "consumed by nobody", want: []Anomaly{Skipped}, tell: func(s *story) { consume(s, Aborted, Aborted) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &story{h: History{AtOnce: true}}
			test.tell(s)
			r := Check(s.h)
			if !slices.Equal(names(r), test.want) {
				t.Errorf("found %v, want %q", r, test.want)
			}
			if r.WriteCycles != test.legal || r.ReadCycles != test.legal2 {
				t.Errorf("%d and %d on legal cycles, want %d and %d", r.WriteCycles, r.ReadCycles, test.legal, test.legal2)
			}
		})
	}
}

// consume has two transactions of a group consume one record.
func consume(s *story, one, two Outcome) {
	s.send(NoTxn, "x", 0, "1")
	for i, o := range []Outcome{one, two} {
		t := s.begin([]string{"A", "B"}[i])
		s.h.Txns[t].Group, s.h.Txns[t].Offsets = "g", map[string]int64{"x": 1}
		s.poll(t, Record{"x", 0, "1"})
		s.end(t, o)
	}
	s.h.Groups = map[string]map[string]int64{"g": {"x": 1}}
}

// A cycle is told so that one can follow it.
func TestACycleIsExplained(t *testing.T) {
	s := &story{}
	a, b := s.begin("transfer 1"), s.begin("transfer 2")
	s.send(a, "x", 3, "17")
	s.send(b, "y", 4, "18")
	s.poll(a, Record{"y", 4, "18"})
	s.poll(b, Record{"x", 3, "17"})
	s.end(a, Committed)
	s.end(b, Committed)
	text := Check(s.h).String()
	for _, want := range []string{"a cycle of 4", "end of transfer 1 (committed)", "-wr-> was committed, as there was polled 17 in x at 3", "poll of 17 in x at 3 by r in transfer 2", "-in-> was a part of it", "1. again"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing of %q in\n%s", want, text)
		}
	}
}

// The shortest of the cycles is told.
func TestTheShortestCycle(t *testing.T) {
	s := &story{}
	var ts []int
	keys := []string{"a", "b", "c", "d", "e"}
	for i, key := range keys {
		ts = append(ts, s.begin(key))
		s.send(ts[i], key, 0, key)
	}
	for i := range ts { // a circle of five
		from := keys[(i+1)%len(ts)]
		s.poll(ts[i], Record{from, 0, from})
	}
	s.poll(ts[3], Record{"c", 0, "c"}) // and one of two
	for _, t := range ts {
		s.end(t, Committed)
	}
	r := Check(s.h)
	if len(r.Findings) != 1 || !strings.HasPrefix(r.Findings[0].What, "a cycle of 4\n") {
		t.Errorf("%v", r)
	}
}
