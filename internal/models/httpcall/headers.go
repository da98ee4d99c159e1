package httpcall

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/leatdev/leat/pipeline"
)

// Names of the headers that tell a backend which record a call is for.
const (
	// HeaderIdempotencyKey is stable over retries and restarts, so that a
	// backend can refuse to do paid work twice (draft-ietf-httpapi-idempotency-key-header).
	HeaderIdempotencyKey = "Idempotency-Key"
	// HeaderEventID carries the event's id, of calls for one record.
	HeaderEventID = "X-Event-Id"
)

// traceHeaders are passed on from the record (W3C Trace Context, Baggage).
var traceHeaders = []string{"traceparent", "tracestate", "baggage"}

// reserved headers are the Caller's or net/http's own: a fixed value for all
// records would be wrong.
var reserved = []string{HeaderIdempotencyKey, HeaderEventID, "Content-Length", "Transfer-Encoding", "Connection", "Trailer"}

// staticHeaders checks the declared headers and splits Host off, which
// net/http takes apart from the others.
func staticHeaders(declared map[string]string) (headers http.Header, host string, err error) {
	headers = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"leat"}}
	seen := map[string]bool{}
	for name, value := range declared {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !isToken(name):
			return nil, "", fmt.Errorf("headers: %q is not a header name; use letters, digits and dashes", name)
		case slices.Contains(reserved, canonical):
			return nil, "", fmt.Errorf("headers: %s is set for each call; remove it", canonical)
		case !isHeaderValue(value):
			return nil, "", fmt.Errorf("headers: the value of %s holds a line break or another control character; is there a newline at the end of the secret?", canonical)
		case seen[canonical]:
			return nil, "", fmt.Errorf("headers: %s is given twice in different spellings; keep one", canonical)
		case canonical == "Host":
			host = value
		default:
			headers.Set(canonical, value)
		}
		seen[canonical] = true
	}
	return headers, host, nil
}

// RecordHeaders returns the headers that a call for these inputs sends besides
// the declared ones. A call for several records has no single event id; its
// idempotency key is derived from theirs, and it is part of a trace only when
// all of them are of the same one.
func RecordHeaders(inputs []pipeline.Input) http.Header {
	h := http.Header{}
	if key := BatchKey(inputs); key != "" {
		h.Set(HeaderIdempotencyKey, headerText(key))
	}
	if len(inputs) == 1 && inputs[0].ID != "" {
		h.Set(HeaderEventID, headerText(inputs[0].ID))
	}
	for _, name := range traceHeaders {
		value := inputs[0].Headers[name]
		same := !slices.ContainsFunc(inputs, func(in pipeline.Input) bool { return in.Headers[name] != value })
		// What is not a header value cannot be a trace either, and must not cost the record.
		if value != "" && same && isHeaderValue(value) {
			h.Set(name, value)
		}
	}
	return h
}

// BatchKey names a call for these inputs: the idempotency key of a single one,
// a hash of all keys for several. The same inputs in the same order have the
// same key; it is empty when one of them has none.
func BatchKey(inputs []pipeline.Input) string {
	if len(inputs) == 1 {
		return inputs[0].IdempotencyKey
	}
	sum := sha256.New()
	for _, in := range inputs {
		if in.IdempotencyKey == "" {
			return ""
		}
		fmt.Fprintf(sum, "%d:%s", len(in.IdempotencyKey), in.IdempotencyKey)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// headerText writes any text as a header value the way the HTTP binding of
// CloudEvents does (§3.1.3.2): all but visible ASCII, the double quote and the
// percent sign are percent-encoded UTF-8.
func headerText(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, c)
	})
}

func isHeaderValue(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return (c < ' ' && c != '\t') || c == 0x7f })
}
