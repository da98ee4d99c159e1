package linear

import (
	"math"
	"reflect"
	"testing"

	"github.com/leatdev/leat/examples/support/models/text"
)

func one(i int32) text.Vector { return text.Vector{Indices: []int32{i}, Values: []float32{1}} }

func examples() ([]text.Vector, []string) {
	var xs []text.Vector
	var labels []string
	for i := range 30 {
		xs, labels = append(xs, one(int32(i%3))), append(labels, []string{"no", "yes", "maybe"}[i%3])
	}
	return xs, labels
}

func TestFitSeparates(t *testing.T) {
	t.Parallel()
	xs, labels := examples()
	m := Fit(xs, labels, 4, Options{})
	for i, want := range labels[:3] {
		name, p := m.Best(xs[i])
		if name != want || p < 0.8 {
			t.Errorf("term %d: %s %.2f, want %s", i, name, p, want)
		}
	}
	sum := 0.0
	for _, p := range m.Probabilities(one(3)) { // a term that no example has
		sum += p
		if math.Abs(p-1.0/3) > 0.1 {
			t.Errorf("an unknown term: %v, want about a third each", p)
		}
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("probabilities add up to %v", sum)
	}
}

func TestSameSeedSameModel(t *testing.T) {
	t.Parallel()
	xs, labels := examples()
	a, b := Fit(xs, labels, 3, Options{}), Fit(xs, labels, 3, Options{})
	if !reflect.DeepEqual(a, b) {
		t.Error("two fits of the same examples differ")
	}
	if c := Fit(xs, labels, 3, Options{Seed: 2}); reflect.DeepEqual(a, c) {
		t.Error("the seed does not matter")
	}
	if c := Fit(xs, labels, 3, Options{L2: 0.1}); math.Abs(float64(c.Weights[0])) >= math.Abs(float64(a.Weights[0])) {
		t.Errorf("L2 does not shrink: %v, without %v", c.Weights[0], a.Weights[0])
	}
}

// The averages are kept lazily, per row; the plain sum over all steps must agree.
func TestAverageIsThatOfAllSteps(t *testing.T) {
	t.Parallel()
	f := newFit(3, 2, Options{}.withDefaults())
	sums := make([]float64, len(f.w))
	steps := []struct{ term, gold int }{{0, 0}, {1, 1}, {0, 1}, {0, 0}, {1, 0}}
	for _, s := range steps {
		f.step(one(int32(s.term)), s.gold)
		for i, w := range f.w {
			sums[i] += float64(w)
		}
	}
	for i, got := range f.average() {
		if want := sums[i] / float64(len(steps)); math.Abs(float64(got)-want) > 1e-6 {
			t.Errorf("weight %d: %v, want %v", i, got, want)
		}
	}
}

func TestEmptyModel(t *testing.T) {
	t.Parallel()
	if name, p := Fit(nil, nil, 0, Options{}).Best(text.Vector{}); name != "" || p != 0 {
		t.Errorf("%q %v", name, p)
	}
}
