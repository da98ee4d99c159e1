// Package linear is multinomial logistic regression over sparse vectors, fitted
// by averaged AdaGrad (Duchi, Hazan, Singer 2011; averaging: Polyak, Juditsky
// 1992). Small, fast and the same for the same seed.
package linear

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/leatdev/leat/examples/support/models/text"
)

// Model scores a vector for each of its labels. Read only once fitted; safe for
// concurrent use.
type Model struct {
	// Labels are the classes, sorted.
	Labels []string `json:"labels"`
	// Weights are per term the weights of all labels: [term*len(Labels)+label].
	Weights []float32 `json:"weights"`
	// Bias is one number per label.
	Bias []float32 `json:"bias"`
}

// Options of a fit. The zero value of a field takes the default in brackets.
type Options struct {
	Epochs int     // passes over the examples [20]
	Rate   float64 // step size of AdaGrad [0.5]
	L2     float64 // pull of every weight it touches towards 0, per step [0]
	Seed   uint64  // order of the examples [1]
}

func (o Options) withDefaults() Options {
	if o.Epochs == 0 {
		o.Epochs = 20
	}
	if o.Rate == 0 {
		o.Rate = 0.5
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	return o
}

// Fit learns labels from vectors whose indices are below terms. len(labels)
// must be len(xs).
func Fit(xs []text.Vector, labels []string, terms int, o Options) *Model {
	o = o.withDefaults()
	names := slices.Clone(labels)
	slices.Sort(names)
	names = slices.Compact(names)
	m := &Model{Labels: names}
	k := len(names)
	if k == 0 {
		return m
	}
	gold := make([]int, len(labels))
	for i, l := range labels {
		gold[i], _ = slices.BinarySearch(names, l)
	}
	f := newFit(terms+1, k, o)
	rng := rand.New(rand.NewPCG(o.Seed, o.Seed))
	order := make([]int, len(xs))
	for i := range order {
		order[i] = i
	}
	for range o.Epochs {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			f.step(xs[i], gold[i])
		}
	}
	all := f.average()
	m.Weights, m.Bias = all[:terms*k], all[terms*k:]
	return m
}

// fit is the state of a running fit. The bias is the last row, a term that each
// example has with value 1.
type fit struct {
	o       Options
	k       int
	w       []float32 // current weights
	g2      []float32 // sums of squared gradients
	sum     []float32 // sums of weights over steps
	since   []int32   // the step up to which the sum is complete
	steps   int32
	p       []float64 // scratch: probabilities
	biasRow int
}

func newFit(rows, k int, o Options) *fit {
	return &fit{
		o: o, k: k, biasRow: rows - 1,
		w: make([]float32, rows*k), g2: make([]float32, rows*k), sum: make([]float32, rows*k),
		since: make([]int32, rows*k), p: make([]float64, k),
	}
}

func (f *fit) step(x text.Vector, gold int) {
	bias := f.w[f.biasRow*f.k:]
	for c := range f.p {
		f.p[c] = float64(bias[c])
	}
	accumulate(f.p, f.w, x)
	softmax(f.p)
	f.steps++
	for j, t := range x.Indices {
		f.update(int(t), float64(x.Values[j]), gold)
	}
	f.update(f.biasRow, 1, gold)
}

// negligible is the probability below which a wrong label is let be: most of
// many labels are, soon, and moving their weights would take most of the time.
const negligible = 1e-4

// update moves one row against its gradient. Weights that stay where they are
// have their sums brought up to date only when they move.
func (f *fit) update(row int, value float64, gold int) {
	for c, p := range f.p {
		if c == gold {
			p--
		} else if p < negligible {
			continue
		}
		i := row*f.k + c
		w := f.w[i]
		f.sum[i] += float32(f.steps-1-f.since[i]) * w
		f.since[i] = f.steps
		g := float32(p*value + f.o.L2*float64(w))
		f.g2[i] += g * g
		w -= float32(f.o.Rate) * g / (float32(math.Sqrt(float64(f.g2[i]))) + 1e-6)
		f.w[i] = w
		f.sum[i] += w
	}
}

func (f *fit) average() []float32 {
	for i, since := range f.since {
		f.sum[i] = (f.sum[i] + float32(f.steps-since)*f.w[i]) / float32(max(f.steps, 1))
	}
	return f.sum
}

// Probabilities of the labels for one vector, in the order of Labels; nil for
// a model without labels.
func (m *Model) Probabilities(x text.Vector) []float64 {
	if len(m.Labels) == 0 {
		return nil
	}
	p := make([]float64, len(m.Labels))
	for c := range p {
		p[c] = float64(m.Bias[c])
	}
	accumulate(p, m.Weights, x)
	softmax(p)
	return p
}

// Best is the most probable label and its probability; "" for a model without
// labels.
func (m *Model) Best(x text.Vector) (string, float64) {
	best, name := -1.0, ""
	for c, p := range m.Probabilities(x) {
		if p > best {
			best, name = p, m.Labels[c]
		}
	}
	return name, max(best, 0)
}

func accumulate(scores []float64, weights []float32, x text.Vector) {
	k := len(scores)
	for j, t := range x.Indices {
		v := float64(x.Values[j])
		row := weights[int(t)*k : int(t)*k+k]
		for c, w := range row {
			scores[c] += v * float64(w)
		}
	}
}

func softmax(scores []float64) {
	top := slices.Max(scores)
	var sum float64
	for c, s := range scores {
		scores[c] = math.Exp(s - top)
		sum += scores[c]
	}
	for c := range scores {
		scores[c] /= sum
	}
}
