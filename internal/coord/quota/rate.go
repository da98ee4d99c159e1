package quota

import (
	"math"
	"time"
)

// Window is over what rates are taken: so many samples of such a length. The sample that
// is being filled counts as one.
type Window struct {
	Samples int
	Length  time.Duration
}

// span is the length of all samples in ms.
func (w Window) span() int64 { return int64(w.Samples) * w.Length.Milliseconds() }

// sample is what was used within one length of a window. Times are in ms.
type sample struct {
	start, last int64
	sum         float64
}

// rate is what was used of late. There is one sample more than the window has: the
// oldest may reach into it.
type rate struct {
	samples []sample
	now     int // the one that is being filled
}

// add enters a use, which may be negative: to take an earlier one back.
func (r *rate) add(w Window, amount float64, now int64) {
	if len(r.samples) == 0 {
		r.samples = append(r.samples, sample{start: now})
	}
	if now-r.samples[r.now].start >= w.Length.Milliseconds() {
		if r.now = (r.now + 1) % (w.Samples + 1); r.now == len(r.samples) {
			r.samples = append(r.samples, sample{})
		}
		r.samples[r.now] = sample{start: now}
	}
	s := &r.samples[r.now]
	s.sum += amount
	s.last = now
}

// total is what was used within the window. Samples into which nothing came for so long
// are forgotten.
func (r *rate) total(w Window, now int64) (sum float64) {
	for i := range r.samples {
		s := &r.samples[i]
		if now-s.last >= w.span() {
			*s = sample{start: now, last: now}
		}
		sum += s.sum
	}
	return sum
}

// elapsed is the time in ms that total is divided by: since the oldest sample began,
// but no less than all samples but one, that a client which has just come is not taken
// for a fast one.
func (r *rate) elapsed(w Window, now int64) int64 {
	oldest := now
	for _, s := range r.samples {
		oldest = min(oldest, s.start)
	}
	length := w.Length.Milliseconds()
	elapsed := now - oldest
	if full := elapsed / length; full < int64(w.Samples-1) {
		elapsed += (int64(w.Samples-1) - full) * length
	}
	return max(elapsed, 1)
}

// wait is after what time the average is down to the limit, if nothing more is used; 0
// when it is not above it.
func (r *rate) wait(w Window, limit float64, now int64) time.Duration {
	sum := r.total(w, now)
	elapsed := float64(r.elapsed(w, now))
	perSecond := sum / (elapsed / 1000)
	if perSecond <= limit {
		return 0
	}
	return millis((perSecond - limit) / limit * elapsed)
}

// idle reports whether nothing of the past counts any more.
func (r *rate) idle(w Window, now int64) bool { return r.total(w, now) == 0 }

// millis is a number of ms as a duration that the protocol can tell.
func millis(n float64) time.Duration {
	return time.Duration(min(math.Round(n), math.MaxInt32)) * time.Millisecond
}

// bucket holds what may be used. It fills at the rate of the limit, up to what a whole
// window allows, and may be overdrawn. Its times are in ms.
type bucket struct {
	tokens, limit float64
	filled        int64
	begun         bool
}

// fill brings the bucket up to the present. A new one is full.
func (b *bucket) fill(w Window, limit float64, now int64) {
	most := float64(w.span()) / 1000 * limit
	b.tokens += limit * float64(now-b.filled) / 1000
	if !b.begun || b.tokens > most {
		b.tokens = most
	}
	b.limit, b.filled, b.begun = limit, now, true
}

// take takes tokens out. A strict one does so only while it is not overdrawn. ok says
// that the tokens were there, wait after what time it will no longer be overdrawn.
func (b *bucket) take(w Window, limit, n float64, strict bool, now int64) (ok bool, wait time.Duration) {
	b.fill(w, limit, now)
	if strict && b.tokens < 0 {
		return false, millis(-b.tokens / limit * 1000)
	}
	b.tokens -= n
	if strict || b.tokens >= 0 {
		return true, 0
	}
	return true, millis(-b.tokens / limit * 1000)
}
