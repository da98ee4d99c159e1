package httpcall

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a server may ask for: a slip in a header must not
// park a record for a year.
const maxRetryAfter = 24 * time.Hour

// RetryAfter returns how long the server asks to wait, 0 when it does not say:
// the header Retry-After in seconds or as a date (RFC 9110 §10.2.3), or
// retry-after-ms as some model servers send it. A date is held against the
// server's own clock when it sent one. More than a day counts as a day.
func RetryAfter(h http.Header) time.Duration {
	if ms, ok := number(h.Get("Retry-After-Ms")); ok {
		return within(ms, time.Millisecond)
	}
	value := strings.TrimSpace(h.Get("Retry-After"))
	if s, ok := number(value); ok {
		return within(s, time.Second)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}

func number(s string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return n, err == nil && n >= 0 // NaN is not >= 0
}

func within(n float64, unit time.Duration) time.Duration {
	if n >= float64(maxRetryAfter/unit) {
		return maxRetryAfter
	}
	return time.Duration(n * float64(unit))
}
