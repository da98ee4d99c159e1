package worker

import (
	"errors"
	"math/rand/v2"
	"time"
)

func (r Retry) withDefaults() Retry {
	if r.Attempts == 0 {
		r.Attempts = 5
	}
	if r.Min == 0 {
		r.Min = 100 * time.Millisecond
	}
	if r.Max == 0 {
		r.Max = max(10*time.Second, r.Min)
	}
	return r
}

// backoff is how long to wait after the (n+1)th failure: Min doubled n times, at
// most Max, with a jitter of up to a fifth less so that many workers do not come
// back together.
func (r Retry) backoff(n int) time.Duration {
	d := r.Max
	if n < 30 && r.Min<<n < r.Max && r.Min<<n > 0 {
		d = r.Min << n
	}
	if fifth := int64(d / 5); fifth > 0 {
		d -= time.Duration(rand.Int64N(fifth))
	}
	return d
}

// retryAfter returns the wait that the other side asked for, zero for none.
func retryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// stageOf returns where a failure happened, "process" when it does not say.
func stageOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Stage != "" {
		return e.Stage
	}
	return "process"
}
