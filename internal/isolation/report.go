package isolation

import (
	"fmt"
	"slices"
	"strings"
)

// Anomaly is the name of something that may not be.
type Anomaly string

const (
	// InconsistentOffset: two values at one offset.
	InconsistentOffset Anomaly = "inconsistent offset"
	// Phantom: a value was polled that nobody sent to that key.
	Phantom Anomaly = "read of what nobody wrote"
	// G1a: a value of an aborted transaction was polled.
	G1a Anomaly = "G1a (aborted read)"
	// G1c: transactions have read from each other in a circle, or one from itself.
	G1c Anomaly = "G1c (circular information flow)"
	// G0Realtime: offsets against time, an append lies before one that had ended.
	G0Realtime Anomaly = "G0-realtime (offsets against time)"
	// G1cRealtime: a poll had what was not committed yet.
	G1cRealtime Anomaly = "G1c-realtime (read before its commit)"
	// Zombie: a fenced producer did something.
	Zombie Anomaly = "write of a fenced producer"
	// GSingle: a transaction that had ended, or was seen in one partition, was open in
	// another one.
	GSingle Anomaly = "G-single (transaction seen in part)"
	// Twice: two committed transactions of a group have consumed the same record.
	Twice Anomaly = "consumed twice"
	// Skipped: the group's offset is beyond a record that no committed transaction has
	// consumed.
	Skipped Anomaly = "consumed by nobody"
)

// Finding is one anomaly with its evidence: for a cycle its steps, a line each.
type Finding struct {
	Anomaly Anomaly
	What    string
}

func (f Finding) String() string { return string(f.Anomaly) + ": " + f.What }

// Report is what a check found, and how much there was to look at.
type Report struct {
	Findings []Finding
	// Committed counts transactions that were told or seen to be; Settled those of
	// them whose client was not told. Open are those of unknown outcome that nobody
	// has seen.
	Committed, Settled, Aborted, Open int
	// Edges counts what the graph is made of, by the name of its kind.
	Edges map[string]int
	// WriteCycles is how many committed transactions lie on a cycle of write
	// dependencies, ReadCycles on one of write and read dependencies. Both are legal.
	WriteCycles, ReadCycles int
	// Consumed counts records that committed transactions have consumed.
	Consumed int
}

func (r *Report) found(what Anomaly, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{what, fmt.Sprintf(format, args...)})
}

// Has tells whether an anomaly was found.
func (r Report) Has(what Anomaly) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Anomaly == what })
}

func (r Report) String() string {
	lines := []string{fmt.Sprintf("%d transactions committed (%d of them by what was read), %d aborted, %d of unknown outcome and not seen; edges %v; %d records consumed; legal: %d transactions on cycles of writes, %d on cycles of writes and reads",
		r.Committed, r.Settled, r.Aborted, r.Open, r.Edges, r.Consumed, r.WriteCycles, r.ReadCycles)}
	count := map[Anomaly]int{}
	for _, f := range r.Findings {
		if count[f.Anomaly]++; count[f.Anomaly] <= 5 {
			lines = append(lines, f.String())
		}
	}
	for _, f := range r.Findings {
		if n := count[f.Anomaly]; n > 5 {
			lines = append(lines, fmt.Sprintf("%s: %d in all", f.Anomaly, n))
			count[f.Anomaly] = 0
		}
	}
	return strings.Join(lines, "\n")
}
