package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Quantiles stay within the stated precision of those of the sorted values.
func TestHistogramAgainstSorting(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for name, next := range map[string]func() int64{
		"uniform":     func() int64 { return r.Int64N(1e9) },
		"exponential": func() int64 { return int64(r.ExpFloat64() * 1e6) },
		"log-uniform": func() int64 { return int64(math.Exp(r.Float64() * 40)) },
		"small":       func() int64 { return r.Int64N(256) },
	} {
		var h Histogram
		var all []int64
		for range 20000 {
			v := next()
			all = append(all, v)
			h.Record(time.Duration(v))
		}
		slices.Sort(all)
		for _, q := range []float64{0, .01, .5, .9, .99, .999, 1} {
			want := all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
			got := int64(h.Quantile(q))
			if diff := math.Abs(float64(got - want)); diff > float64(want)/256+.5 || (name == "small" && diff != 0) {
				t.Errorf("%s q%v: %d, want %d", name, q, got, want)
			}
		}
		var sum float64
		for _, v := range all {
			sum += float64(v)
		}
		if got, want := float64(h.Mean()), sum/float64(len(all)); math.Abs(got-want) > want/1e6+1 {
			t.Errorf("%s: mean %v, want %v", name, got, want)
		}
		if int64(h.Max()) != all[len(all)-1] || h.Count() != uint64(len(all)) {
			t.Errorf("%s: max %d, count %d", name, h.Max(), h.Count())
		}
	}
}

func TestHistogramEdges(t *testing.T) {
	t.Parallel()
	var h Histogram
	if h.Quantile(.5) != 0 || h.Mean() != 0 || h.Quantiles() != (Quantiles{}) {
		t.Error("an empty histogram is not all zeros")
	}
	h.Record(-5)
	h.Record(math.MaxInt64)
	if h.Quantile(0) != 0 || h.Quantile(1) != math.MaxInt64 || h.Max() != math.MaxInt64 {
		t.Errorf("%d %d %d", h.Quantile(0), h.Quantile(1), h.Max())
	}
	for v := uint64(0); v < 1<<20; v += 7 { // every value lies in the bucket whose middle is near it
		if m := middle(bucket(v)); math.Abs(float64(m)-float64(v)) > float64(v)/256+.5 {
			t.Fatalf("%d lies in a bucket around %d", v, m)
		}
	}
}
