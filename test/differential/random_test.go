package differential

import (
	"crypto/rand"
	"flag"
	"fmt"
	mrand "math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/test/divergence"
)

var (
	sequences = flag.Int("random.sequences", 100, "how many random sequences are played")
	length    = flag.Int("random.length", 60, "steps of each")
	seed      = flag.Uint64("random.seed", 1, "seed of the first; the next ones count on from it")
)

// step is one step of a random sequence: what is done, and the numbers that all
// its choices are made from. What it does is the same on every side, and the same
// again in a replay, also when steps before it are left out.
type step struct {
	op  *op
	raw [24]uint16
}

// op is a kind of step.
type op struct {
	name string
	// weight is how often it is drawn, compared with others.
	weight int
	run    func(w *world, d *dice)
}

// dice makes a step's choices.
type dice struct {
	raw  []uint16
	next int
}

// n is a number from 0 to n-1. A step has only so many choices; what goes beyond is 0.
func (d *dice) n(n int) int {
	if d.next >= len(d.raw) {
		return 0
	}
	d.next++
	return int(d.raw[d.next-1]) % n
}

// one is true once in n times.
func (d *dice) one(n int) bool { return d.n(n) == n-1 }

func pick[T any](d *dice, of ...T) T { return of[d.n(len(of))] }

// version is one from low to high.
func (d *dice) version(low, high int16) int16 { return low + int16(d.n(int(high-low)+1)) }

// draw makes a sequence of these kinds of steps from a seed. The first of the kinds is
// how each sequence begins.
func draw(ops []op, seed uint64, length int) []step {
	r := mrand.New(mrand.NewPCG(seed, 1))
	total := 0
	for _, o := range ops {
		total += o.weight
	}
	steps := make([]step, length)
	for i := range steps {
		if i == 0 {
			steps[i].op = &ops[0]
			continue
		}
		at := r.IntN(total)
		for k := range ops {
			if at -= ops[k].weight; at < 0 {
				steps[i].op = &ops[k]
				break
			}
		}
		for k := range steps[i].raw {
			steps[i].raw[k] = uint16(r.Uint32())
		}
	}
	return steps
}

// known are the divergences of random sequences, with those that were met.
type known struct {
	list  []divergence.Wire
	met   map[int]bool
	steps int // that were compared
}

func newKnown(differs func(test string) []divergence.Wire) *known {
	k := &known{met: map[int]bool{}}
	for _, test := range []string{"TestRandomSequences", "TestRandomTransactions", "TestRandomConsumerGroups", "TestRandomExpressions", "TestRandomShareGroups", "TestShareGroupEdges"} {
		k.list = append(k.list, differs(test)...)
	}
	return k
}

// unexpected are the lines that are not among the divergences.
func (k *known) unexpected(lines []string, pattern func(divergence.Wire) string) (out []string) {
	for _, line := range lines {
		expected := false
		for i, d := range k.list {
			if p := pattern(d); p != "" && !d.Ends && regexp.MustCompile("^(?:"+p+")").MatchString(line) {
				k.met[i], expected = true, true
			}
		}
		if !expected {
			out = append(out, line)
		}
	}
	return out
}

// ends tells whether a divergence is met after which the two cannot be compared: on
// both sides, if it has a pattern for both.
func (k *known) ends(first, other []string) bool {
	for i, d := range k.list {
		if d.Ends && meets(d.OnlyKafka, first) && meets(d.OnlyLeat, other) {
			k.met[i] = true
			return true
		}
	}
	return false
}

func meets(pattern string, lines []string) bool {
	return pattern == "" || slices.ContainsFunc(lines, regexp.MustCompile("^(?:"+pattern+")").MatchString)
}

// finding is where two sides first say different things.
type finding struct {
	at           int
	labels       []string // of the steps up to there
	first, other []string // lines that only one of the sides has
}

func (f *finding) String() string {
	var b strings.Builder
	for i, l := range f.labels {
		fmt.Fprintf(&b, "%3d  %s\n", i, l)
	}
	for _, l := range f.first {
		fmt.Fprintf(&b, "     only kafka: %s\n", l)
	}
	for _, l := range f.other {
		fmt.Fprintf(&b, "     only leat:  %s\n", l)
	}
	return b.String()
}

// kind is what a finding has in common with others: its lines without numbers.
func (f *finding) kind() string {
	return regexp.MustCompile(`[0-9]+`).ReplaceAllString(strings.Join(append(append([]string(nil), f.first...), f.other...), "\n"), "")
}

// mostFindings are as many kinds as one run tells.
const mostFindings = 12

// play runs a sequence on both sides, step by step, until they differ; nil if they
// never do.
func play(first, other *world, steps []step, k *known) *finding {
	run, base := rand.Text()[:8], time.Now().UnixMilli()-10_000
	for _, w := range []*world{first, other} {
		w.begin(run, base)
		defer w.end()
	}
	var labels []string
	for i, st := range steps {
		first.lines, other.lines = nil, nil
		for _, w := range []*world{first, other} {
			w.label = ""
			st.op.run(w, &dice{raw: st.raw[:]})
			w.settle()
		}
		labels = append(labels, first.label)
		a, b := onlyIn(first.lines, other.lines), onlyIn(other.lines, first.lines)
		if k.steps++; k.ends(a, b) {
			return nil
		}
		a = k.unexpected(a, func(d divergence.Wire) string { return d.OnlyKafka })
		b = k.unexpected(b, func(d divergence.Wire) string { return d.OnlyLeat })
		if len(a)+len(b) > 0 {
			return &finding{at: i, labels: labels, first: a, other: b}
		}
	}
	return nil
}

// shrink leaves out what is not needed for the sides to differ.
func shrink(first, other *world, steps []step, found *finding, k *known, until time.Time) *finding {
	steps = steps[:found.at+1]
	for size := len(steps) / 2; size > 0; size /= 2 {
		for from := 1; from+size < len(steps) && time.Now().Before(until); { // not how it begins
			less := append(append([]step(nil), steps[:from]...), steps[from+size:]...)
			if f := play(first, other, less, k); f != nil {
				steps, found = less[:f.at+1], f
			} else {
				from += size
			}
		}
	}
	return found
}

// Random sequences of requests get the same answers from Kafka and from Leat, but
// for the divergences in the list; and each of these is met.
func TestRandomSequences(t *testing.T) { random(t, ops, 1) }

// The same for transactions.
func TestRandomTransactions(t *testing.T) { random(t, txnOps, 1) }

// The same for groups of the consumer protocol (KIP-848).
func TestRandomConsumerGroups(t *testing.T) { random(t, consumerOps, 1) }

// The same for members that name topics by regular expressions; few, as Kafka takes its time.
func TestRandomExpressions(t *testing.T) { random(t, expressionOps, 20) }

// The same for share groups; fewer, as each of them waits for much that Kafka does in its
// own time.
func TestRandomShareGroups(t *testing.T) { random(t, shareOps, 8) }

// random plays one of so many sequences of these kinds of steps.
func random(t *testing.T, ops []op, oneOf int) {
	p, k, l := sides(t)
	ops = p.plays(ops)
	kafka, ours := newWorld(k), newWorld(l)
	list := newKnown(p.differs)
	seen := map[string]bool{}
	count := max(1, *sequences*p.times/oneOf)
	for i := range count {
		s := *seed + uint64(i)
		steps := draw(ops, s, *length)
		found := play(kafka, ours, steps, list)
		if found == nil {
			continue
		}
		if kind := found.kind(); seen[kind] {
			continue
		} else if seen[kind] = true; len(seen) > mostFindings {
			t.Fatal("and more")
		}
		found = shrink(kafka, ours, steps, found, newKnown(p.differs), time.Now().Add(10*time.Second))
		seen[found.kind()] = true
		t.Errorf("seed %d: again with go test ./differential -run %s -random.seed %d -random.sequences 1 -random.length %d\n%s", s, t.Name(), s, *length, found)
	}
	t.Logf("%d sequences from seed %d on, %d steps", count, *seed, list.steps)
	if *sequences < 100 || t.Failed() {
		return // too little was played to meet all
	}
	for i, d := range list.list {
		if !list.met[i] && d.Case == t.Name() {
			t.Errorf("not met: %q, where Kafka says %s and Leat %s because %s; take it off the list", d.What, d.Kafka, d.Leat, d.Because)
		}
	}
}
