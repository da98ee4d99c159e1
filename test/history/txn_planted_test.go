package history

import (
	"slices"
	"testing"

	"github.com/leatdev/leat/internal/isolation"
)

func (c *clock) in(txn int64, op Op) Op {
	op.Txn = txn
	return op
}

func (c *clock) end(client string, txn int64, abort bool, status Status) Op {
	op := c.op(client, End, status)
	op.Txn, op.Abort = txn, abort
	return op
}

func (c *clock) init(client, id string, order int64) Op {
	op := c.op(client, Init, OK)
	op.ID, op.Order = id, order
	return op
}

func (c *clock) consumed(client string, txn int64, key string, at int64) Op {
	op := c.in(txn, c.offsets(client, Commit, key, at))
	op.Group = "g"
	return op
}

func (c *clock) atLast(key string, at int64) Op {
	op := c.offsets("last", Fetch, key, at)
	op.Group = "g"
	return op
}

// TestPlantedTransactions plants what may not be in small histories of transactions; what
// may be passes.
func TestPlantedTransactions(t *testing.T) {
	for _, test := range []struct {
		name string
		want []Anomaly
		ops  func(c *clock) []Op
	}{
		{"committed and read", nil, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10))), c.end("p", 1, false, OK), c.poll("r", m(0, 10)), c.offsets("x", Stable, "t/0", 2)}
		}},
		{"aborted and read", []Anomaly{FailedRead, Anomaly(isolation.G1a)}, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10))), c.end("p", 1, true, OK), c.poll("r", m(0, 10))}
		}},
		{"aborted instead of committed, and not read", nil, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10))), c.end("p", 1, false, Failed), c.send("p", m(2, 11)), c.poll("r", m(2, 11))}
		}},
		{"left open, and read", []Anomaly{FailedRead, Anomaly(isolation.G1a)}, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10))), c.poll("r", m(0, 10))}
		}},
		{"an abort without an answer, and read", []Anomaly{FailedRead, Anomaly(isolation.G1a)}, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10))), c.end("p", 1, true, Unknown), c.poll("r", m(0, 10))}
		}},
		{"of unknown outcome: all of it is read", nil, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10), m(1, 11))), c.end("p", 1, false, Unknown), c.poll("r", m(0, 10), m(1, 11))}
		}},
		{"of unknown outcome: a part of it is read", []Anomaly{LostWrite, PollSkip}, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10), m(1, 11))), c.end("p", 1, false, Unknown), c.offsets("r", Assign, "t/0", 0), c.poll("r", m(1, 11))}
		}},
		{"of unknown outcome: nothing of it is read", nil, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10), m(1, 11))), c.end("p", 1, false, Unknown), c.send("p", m(3, 12)), c.poll("r", m(3, 12))}
		}},
		{"committed, and a part of it is lost", []Anomaly{LostWrite}, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10), m(1, 11))), c.end("p", 1, false, OK), c.poll("r", m(1, 11))}
		}},
		{"read before its commit", []Anomaly{Anomaly(isolation.G1cRealtime)}, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10))), c.poll("r", m(0, 10)), c.end("p", 1, false, OK)}
		}},
		{"two transactions that read each other", []Anomaly{Anomaly(isolation.G1c)}, func(c *clock) []Op {
			other := Message{"t/1", 0, 20}
			return []Op{c.in(1, c.send("p", m(0, 10))), c.in(2, c.send("q", other)), c.in(1, c.poll("p", other)), c.in(2, c.poll("q", m(0, 10))), c.end("p", 1, false, OK), c.end("q", 2, false, OK)}
		}},
		{"two transactions that write before each other", nil, func(c *clock) []Op {
			x, y := Message{"t/1", 0, 20}, Message{"t/1", 1, 11}
			return []Op{c.in(1, c.send("p", m(0, 10))), c.in(2, c.send("q", m(1, 21))), c.in(2, c.send("q", x)), c.in(1, c.send("p", y)), c.end("p", 1, false, OK), c.end("q", 2, false, OK), c.poll("r", m(0, 10), m(1, 21), x, y)}
		}},
		{"a fenced producer commits", []Anomaly{Anomaly(isolation.Zombie)}, func(c *clock) []Op {
			return []Op{c.init("p", "id", 1), c.in(1, c.send("p", m(0, 10))), c.init("q", "id", 2), c.end("p", 1, false, OK), c.poll("r", m(0, 10))}
		}},
		{"a fenced producer commits nothing", nil, func(c *clock) []Op {
			return []Op{c.init("p", "id", 1), c.in(1, c.poll("p")), c.init("q", "id", 2), c.end("p", 1, false, OK)}
		}},
		{"a last stable offset that goes back", []Anomaly{StaleEnd}, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(7, 10))), c.end("p", 1, false, OK), c.offsets("x", Stable, "t/0", 9), c.offsets("y", Stable, "t/0", 8), c.poll("r", m(7, 10))}
		}},
		{"a last stable offset below what was polled", []Anomaly{StaleEnd}, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(7, 10))), c.end("p", 1, false, OK), c.poll("r", m(7, 10)), c.offsets("x", Stable, "t/0", 3)}
		}},
		{"a last stable offset at a transaction that has ended", []Anomaly{Anomaly(isolation.GSingle)}, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(7, 10))), c.end("p", 1, false, OK), c.offsets("x", Stable, "t/0", 7), c.poll("r", m(7, 10))}
		}},
		{"offsets of an aborted transaction", []Anomaly{CommitAhead, Anomaly(isolation.Skipped)}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10)), c.in(1, c.poll("w", m(0, 10))), c.consumed("w", 1, "t/0", 1), c.end("w", 1, true, OK), c.atLast("t/0", 1)}
		}},
		{"offsets of a committed transaction that are not there", []Anomaly{CommitLost}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10)), c.in(1, c.poll("w", m(0, 10))), c.consumed("w", 1, "t/0", 1), c.end("w", 1, false, OK), c.atLast("t/0", 0)}
		}},
		{"consumed in two transactions", []Anomaly{Anomaly(isolation.Twice)}, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10)),
				c.in(1, c.poll("w", m(0, 10))), c.consumed("w", 1, "t/0", 1), c.end("w", 1, false, OK),
				c.in(2, c.poll("v", m(0, 10))), c.consumed("v", 2, "t/0", 1), c.end("v", 2, false, OK), c.atLast("t/0", 1)}
		}},
		{"consumed again after an abort", nil, func(c *clock) []Op {
			return []Op{c.send("p", m(0, 10)),
				c.in(1, c.poll("w", m(0, 10))), c.consumed("w", 1, "t/0", 1), c.end("w", 1, true, OK),
				c.in(2, c.poll("v", m(0, 10))), c.consumed("v", 2, "t/0", 1), c.end("v", 2, false, OK), c.atLast("t/0", 1)}
		}},
		{"an assignment that begins behind a marker", nil, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10))), c.end("p", 1, false, OK), c.in(2, c.poll("w", m(0, 10))), c.consumed("w", 2, "t/0", 1), c.end("w", 2, false, OK),
				c.send("p", m(5, 11)), c.offsets("v", Assign, "t/0", Committed), c.poll("v", m(5, 11))}
		}},
		{"an assignment that steps over a record", []Anomaly{CommitAhead}, func(c *clock) []Op {
			return []Op{c.in(1, c.send("p", m(0, 10))), c.end("p", 1, false, OK), c.in(2, c.poll("w", m(0, 10))), c.consumed("w", 2, "t/0", 1), c.end("w", 2, false, OK),
				c.send("p", m(4, 9), m(5, 11)), c.offsets("v", Assign, "t/0", Committed), c.poll("v", m(5, 11)), c.poll("r", m(4, 9))}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if r := Analyse(test.ops(&clock{}), false, false); !slices.Equal(kinds(r), sorted(slices.Clone(test.want))) {
				t.Errorf("found %v, want %q", r, test.want)
			}
		})
	}
}

// What a kill has met is what its moment lies in.
func TestSpanning(t *testing.T) {
	c := &clock{}
	ops := []Op{c.in(1, c.send("p", m(0, 10))), c.in(2, c.send("q", m(1, 11))), c.end("p", 1, false, OK), c.end("q", 2, false, OK), c.in(3, c.send("p", m(4, 12)))}
	for at, want := range map[int]([2]int){0: {0, 0}, 1: {1, 0}, 2: {2, 0}, 3: {1, 0}, 4: {0, 0}} {
		if open, waiting := spanning(ops, ops[at].Start); open != want[0] || waiting != want[1] {
			t.Errorf("when operation %d begins: %d open, %d wait, want %v", at, open, waiting, want)
		}
	}
	ops[3].End += 100
	if open, waiting := spanning(ops, ops[4].End); open != 1 || waiting != 1 {
		t.Errorf("%d open, %d wait", open, waiting)
	}
}
