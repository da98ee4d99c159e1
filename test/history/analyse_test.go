package history

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

// clock makes the operations of a small history follow each other.
type clock struct{ now time.Duration }

func (c *clock) op(client string, kind Kind, status Status, messages ...Message) Op {
	c.now += 2
	return Op{Client: client, Kind: kind, Status: status, Start: c.now, End: c.now + 1, Messages: messages}
}

func (c *clock) send(client string, messages ...Message) Op {
	op := c.op(client, Send, OK, messages...)
	op.Once, op.Durable = true, true
	return op
}

func (c *clock) poll(client string, messages ...Message) Op {
	return c.op(client, Poll, OK, messages...)
}

func (c *clock) offsets(client string, kind Kind, key string, at int64) Op {
	op := c.op(client, kind, OK)
	op.Offsets = map[string]int64{key: at}
	return op
}

func m(offset, value int64) Message { return Message{"t/0", offset, value} }

// TestPlanted plants each anomaly in a small history; the others must not be found in it.
func TestPlanted(t *testing.T) {
	for _, test := range []struct {
		name string
		want []Anomaly
		ops  func(c *clock) []Op
	}{
		{"nothing", nil, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11)), c.offsets("r", Assign, "t/0", 0), c.poll("r", m(0, 10), m(1, 11)), c.offsets("x", Ends, "t/0", 2)}
		}},
		{"two values at one offset, sent and polled", []Anomaly{InconsistentOffset, LostWrite}, func(c *clock) []Op {
			unknown := c.op("q", Send, Unknown, m(-1, 20))
			return []Op{c.send("p", m(0, 10)), unknown, c.poll("r", m(0, 20))}
		}},
		{"two values at one offset, acknowledged twice", []Anomaly{InconsistentOffset, LostWrite}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10)), c.send("q", m(0, 20)), c.poll("r", m(0, 10))}
		}},
		{"one value at two offsets", []Anomaly{Duplicate}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10)), c.poll("r", m(0, 10), m(1, 10))}
		}},
		{"one value at two offsets of a producer that is not idempotent", nil, func(c *clock) []Op {
			op := c.send("p", m(0, 10))
			op.Once = false
			return []Op{op, c.poll("r", m(0, 10), m(1, 10))}
		}},
		{"acknowledged at another offset than it has", []Anomaly{Duplicate}, func(c *clock) []Op {
			return []Op{c.send("p", m(1, 10)), c.poll("r", m(0, 10))}
		}},
		{"read of a failed write", []Anomaly{FailedRead}, func(c *clock) []Op {
			op := c.op("p", Send, Failed, m(-1, 10))
			return []Op{op, c.poll("r", m(0, 10))}
		}},
		{"read of a write with unknown outcome", nil, func(c *clock) []Op {
			return []Op{c.op("p", Send, Unknown, m(-1, 10)), c.poll("r", m(0, 10))}
		}},
		{"read of what nobody wrote", []Anomaly{PhantomRead}, func(c *clock) []Op {
			return []Op{c.poll("r", m(0, 10))}
		}},
		{"read from another key", []Anomaly{PhantomRead, Duplicate, Unseen}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11)), c.poll("r", Message{"t/1", 0, 10})}
		}},
		{"lost write", []Anomaly{LostWrite}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10)), c.send("p", m(1, 11)), c.poll("r", m(1, 11))}
		}},
		{"unseen write", []Anomaly{Unseen}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10)), c.send("p", m(1, 11)), c.poll("r", m(0, 10))}
		}},
		{"poll goes back, within", []Anomaly{PollBack}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11)), c.poll("r", m(0, 10), m(1, 11), m(0, 10))}
		}},
		{"poll goes back, from one to the next", []Anomaly{PollBack}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11)), c.poll("r", m(0, 10), m(1, 11)), c.poll("r", m(1, 11))}
		}},
		{"poll goes back after an assignment", nil, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11)), c.poll("r", m(0, 10), m(1, 11)), c.offsets("r", Assign, "t/0", 1), c.poll("r", m(1, 11))}
		}},
		{"send goes back, within", []Anomaly{SendBack}, func(c *clock) []Op {
			return []Op{c.send("p", m(1, 11), m(0, 10)), c.poll("r", m(0, 10), m(1, 11))}
		}},
		{"send goes back, from one to the next", []Anomaly{SendBack}, func(c *clock) []Op {
			return []Op{c.send("p", m(1, 11)), c.send("p", m(0, 10)), c.poll("r", m(0, 10), m(1, 11))}
		}},
		{"poll steps over a record, within", []Anomaly{PollSkip}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11), m(2, 12)), c.poll("r", m(0, 10), m(2, 12)), c.poll("s", m(1, 11))}
		}},
		{"poll steps over a record, from one to the next", []Anomaly{PollSkip}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11), m(2, 12)), c.poll("r", m(0, 10)), c.poll("r", m(2, 12)), c.poll("s", m(1, 11))}
		}},
		{"poll steps over a record, after an assignment", []Anomaly{PollSkip}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11)), c.offsets("r", Assign, "t/0", 0), c.poll("r", m(1, 11)), c.poll("s", m(0, 10))}
		}},
		{"poll steps over an offset that has no record", nil, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(2, 12)), c.poll("r", m(0, 10), m(2, 12))}
		}},
		{"end below what was acknowledged", []Anomaly{StaleEnd}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10)), c.offsets("x", Ends, "t/0", 0), c.poll("r", m(0, 10))}
		}},
		{"end below what was acknowledged without the disk", nil, func(c *clock) []Op {
			op := c.send("p", m(0, 10))
			op.Durable = false
			return []Op{op, c.offsets("x", Ends, "t/0", 0), c.poll("r", m(0, 10))}
		}},
		{"end below what was polled", []Anomaly{StaleEnd}, func(c *clock) []Op {
			op := c.send("p", m(0, 10))
			op.Durable = false
			return []Op{op, c.poll("r", m(0, 10)), c.offsets("x", Ends, "t/0", 0)}
		}},
		{"end below an earlier end", []Anomaly{StaleEnd}, func(c *clock) []Op {
			return []Op{c.offsets("x", Ends, "t/0", 5), c.offsets("y", Ends, "t/0", 4)}
		}},
		{"end that was asked for before the acknowledgement", nil, func(c *clock) []Op {
			ask := c.offsets("x", Ends, "t/0", 0)
			op := c.send("p", m(0, 10))
			ask.End = c.now + 10
			return []Op{op, ask, c.poll("r", m(0, 10))}
		}},
		{"commit taken back", []Anomaly{CommitLost}, func(c *clock) []Op {
			return []Op{c.offsets("r", Commit, "t/0", 5), c.offsets("x", Fetch, "t/0", 4)}
		}},
		{"commit of unknown outcome is not there", nil, func(c *clock) []Op {
			op := c.offsets("r", Commit, "t/0", 5)
			op.Status = Unknown
			return []Op{op, c.offsets("x", Fetch, "t/0", 0)}
		}},
		{"commit of nobody", []Anomaly{CommitAhead}, func(c *clock) []Op {
			return []Op{c.offsets("r", Commit, "t/0", 5), c.offsets("x", Fetch, "t/0", 6)}
		}},
		{"assignment begins below a commit", []Anomaly{CommitLost}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11)), c.poll("r", m(0, 10)), c.offsets("r", Commit, "t/0", 1), c.offsets("s", Assign, "t/0", Committed), c.poll("s", m(0, 10), m(1, 11))}
		}},
		{"assignment steps over what nobody has committed", []Anomaly{CommitAhead}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11)), c.poll("r", m(0, 10), m(1, 11)), c.offsets("s", Assign, "t/0", Committed), c.poll("s", m(1, 11))}
		}},
		{"assignment begins at the commit", nil, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10), m(1, 11)), c.poll("r", m(0, 10)), c.offsets("r", Commit, "t/0", 1), c.offsets("s", Assign, "t/0", Committed), c.poll("s", m(1, 11))}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Analyse(test.ops(&clock{}), true, false)
			if got := kinds(r); !slices.Equal(got, sorted(test.want)) {
				t.Errorf("found %q, want %q\n%v", got, test.want, r)
			}
		})
	}
}

func sorted(as []Anomaly) []Anomaly {
	as = slices.Clone(as)
	slices.Sort(as)
	return slices.Compact(as)
}

func kinds(r Report) []Anomaly {
	var as []Anomaly
	for _, f := range r.Findings {
		as = append(as, f.Anomaly)
	}
	return sorted(as)
}

func TestLegal(t *testing.T) {
	for seed := range uint64(20) {
		n := 5000
		if seed == 0 {
			n = 50_000
		}
		r := Analyse(legal(seed, n), true, false)
		if len(r.Findings) > 0 {
			t.Fatalf("seed %d: %v", seed, r)
		}
		if r.Sent < 1000 || r.Polled < r.Sent || r.Repeats == 0 || r.Unknown == 0 || r.Ops[Commit] == 0 || r.Ops[Fetch] == 0 || r.Ops[Ends] == 0 {
			t.Errorf("seed %d is no history of everything: %v", seed, r)
		}
	}
}

// A client may hold a commit back until it has joined the next generation, in which
// another member has committed more: the coordinator takes it, and the offset goes back.
// Once a commit that began after it is acknowledged, it must not come again.
func TestACommitThatWasHeldBack(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }
	commit := func(client string, from, to int, offset int64) Op {
		return Op{Client: client, Kind: Commit, Status: OK, Start: at(from), End: at(to), Offsets: map[string]int64{"x/0": offset}}
	}
	fetch := func(from int, offset int64) Op {
		return Op{Client: "asker", Kind: Fetch, Status: OK, Start: at(from), End: at(from + 1), Offsets: map[string]int64{"x/0": offset}}
	}
	ops := []Op{commit("a", 10, 200, 41), commit("b", 100, 110, 51), fetch(120, 51), fetch(210, 41), commit("b", 220, 230, 55)}
	for _, c := range []struct {
		last int64
		want int
	}{{55, 0}, {41, 1}, {51, 1}} {
		if r := Analyse(append(ops[:len(ops):len(ops)], fetch(240, c.last)), true, false); len(r.Findings) != c.want {
			t.Errorf("at last %d: %v, want %d findings", c.last, r.Findings, c.want)
		}
	}
}

// TestSpoiled changes one thing in a long legal history: it must be found.
func TestSpoiled(t *testing.T) {
	// pick returns an operation that fits, somewhere in the middle.
	pick := func(ops []Op, rng *rand.Rand, fits func(Op) bool) int {
		for {
			if i := len(ops)/4 + rng.IntN(len(ops)/2); fits(ops[i]) {
				return i
			}
		}
	}
	polls := func(op Op) bool { return op.Kind == Poll && len(op.Messages) > 2 }
	for name, spoil := range map[Anomaly]func(ops []Op, rng *rand.Rand) []Op{
		LostWrite: func(ops []Op, rng *rand.Rand) []Op {
			value := ops[pick(ops, rng, func(op Op) bool { return op.Kind == Send && op.Status == OK && op.Once })].Messages[0].Value
			for i := range ops {
				if ops[i].Kind == Poll {
					ops[i].Messages = slices.DeleteFunc(ops[i].Messages, func(m Message) bool { return m.Value == value })
				}
			}
			return ops
		},
		InconsistentOffset: func(ops []Op, rng *rand.Rand) []Op {
			op := &ops[pick(ops, rng, polls)]
			op.Messages[1].Value = 1 // the first one there was, long ago
			return ops
		},
		PollSkip: func(ops []Op, rng *rand.Rand) []Op {
			op := &ops[pick(ops, rng, func(op Op) bool { return polls(op) && oneKey(op) })]
			op.Messages = slices.Delete(op.Messages, 1, 2)
			return ops
		},
		PollBack: func(ops []Op, rng *rand.Rand) []Op {
			i := pick(ops, rng, polls)
			return slices.Insert(ops, i, ops[i])
		},
		SendBack: func(ops []Op, rng *rand.Rand) []Op {
			op := &ops[pick(ops, rng, func(op Op) bool {
				return op.Kind == Send && op.Status == OK && op.Once && len(op.Messages) > 1 && oneKey(op)
			})]
			slices.Reverse(op.Messages)
			return ops
		},
		StaleEnd: func(ops []Op, rng *rand.Rand) []Op {
			op := &ops[pick(ops, rng, func(op Op) bool { return op.Kind == Ends && op.Offsets["t/0"] > 0 })]
			op.Offsets["t/0"] = 0
			return ops
		},
		CommitLost: func(ops []Op, rng *rand.Rand) []Op {
			op := &ops[pick(ops, rng, func(op Op) bool { return op.Kind == Fetch && op.Offsets["t/0"] > 0 })]
			op.Offsets["t/0"] = 0
			return ops
		},
	} {
		t.Run(string(name), func(t *testing.T) {
			for seed := range uint64(10) {
				ops := spoil(legal(seed, 3000), rand.New(rand.NewPCG(seed, 9)))
				if r := Analyse(ops, true, false); !slices.Contains(kinds(r), name) {
					t.Errorf("seed %d: not found\n%v", seed, r)
				}
			}
		})
	}
}

func oneKey(op Op) bool {
	return !slices.ContainsFunc(op.Messages, func(m Message) bool { return m.Key != op.Messages[0].Key })
}

func TestFileIsAnalysedAgain(t *testing.T) {
	c := &clock{}
	name := filepath.Join(t.TempDir(), "history.jsonl")
	f, err := os.Create(name)
	if err == nil {
		err = errors.Join(Write(f, []Op{c.send("p", m(0, 10)), c.send("p", m(1, 11)), c.poll("r", m(1, 11))}), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if r, err := analyseFile(name); err != nil || !slices.Equal(kinds(r), []Anomaly{LostWrite}) {
		t.Errorf("%v (%v)", r, err)
	}
}

func TestWriteAndRead(t *testing.T) {
	ops := legal(1, 500)
	var b bytes.Buffer
	if err := Write(&b, ops); err != nil {
		t.Fatal(err)
	}
	again, err := Read(&b)
	if err != nil || len(again) != len(ops) {
		t.Fatalf("%d of %d operations: %v", len(again), len(ops), err)
	}
	for i := range ops {
		if len(ops[i].Messages)+len(ops[i].Offsets) > 0 && !reflect.DeepEqual(again[i], ops[i]) {
			t.Fatalf("%+v has become %+v", ops[i], again[i])
		}
	}
}
