package load

import (
	"math"
	"math/bits"
	"time"
)

// Precision: every power of two is divided into 1<<subBits buckets of equal
// width, as in HdrHistogram, and a bucket answers with its middle. A quantile
// is off by at most half a bucket, 1/256 of the value (0.4 %), and values
// under 256 ns are exact.
const (
	subBits = 7
	sub     = 1 << subBits
	buckets = (64 - subBits) * sub
)

// Histogram counts durations in logarithmic buckets. It takes 57 KiB whatever
// is counted. The zero value is ready for use; it is not safe for concurrent use.
type Histogram struct {
	counts   [buckets]uint64
	n        uint64
	sum      float64 // nanoseconds
	min, max int64
}

// Record counts one duration; a negative one counts as 0.
func (h *Histogram) Record(d time.Duration) {
	v := max(0, int64(d))
	h.counts[bucket(uint64(v))]++
	if h.n == 0 || v < h.min {
		h.min = v
	}
	h.max = max(h.max, v)
	h.n++
	h.sum += float64(v)
}

// Count is the number of durations.
func (h *Histogram) Count() uint64 { return h.n }

// Mean is exact; 0 if nothing was counted.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.n))
}

// Max is exact.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Quantile returns the duration that the fraction q (0 to 1) of all does not
// exceed: the ceil(q*n)-th smallest. 0 if nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(h.n)))
	rank = min(max(rank, 1), h.n)
	switch rank { // the ends are known exactly
	case 1:
		return time.Duration(h.min)
	case h.n:
		return time.Duration(h.max)
	}
	var seen uint64
	for i, c := range h.counts {
		if seen += c; seen >= rank {
			return time.Duration(min(max(middle(i), h.min), h.max))
		}
	}
	return time.Duration(h.max)
}

// bucket is the place of v: the number itself below 2*sub, then by the highest
// bit and the subBits after it.
func bucket(v uint64) int {
	if v < 2*sub {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - subBits
	return shift*sub + int(v>>shift)
}

// middle is the value in the middle of a bucket.
func middle(i int) int64 {
	if i < 2*sub {
		return int64(i)
	}
	shift := i/sub - 1
	low := uint64(i-shift*sub) << shift
	return int64(low + 1<<shift/2)
}

// Quantiles is a histogram in figures, in milliseconds.
type Quantiles struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99_9"`
	Max   float64 `json:"max"`
}

// Quantiles returns the figures that are reported.
func (h *Histogram) Quantiles() Quantiles {
	ms := func(d time.Duration) float64 { return math.Round(float64(d)/1000) / 1000 } // to the microsecond
	return Quantiles{h.n, ms(h.Mean()), ms(h.Quantile(.5)), ms(h.Quantile(.9)), ms(h.Quantile(.99)), ms(h.Quantile(.999)), ms(h.Max())}
}
