package event

import (
	"github.com/twmb/franz-go/pkg/kgo"
)

// traceHeaders are the W3C names, lower case (Trace Context 1.0 §3, Baggage 1.0 §3).
var traceHeaders = []string{"traceparent", "tracestate", "baggage"}

// PassTrace returns to with the trace headers of from. When to has a traceparent
// already it is returned as it is: a creation context is never overwritten
// (OpenTelemetry messaging conventions). Nor is one passed on that Trace Context
// would have a receiver discard.
func PassTrace(from, to []kgo.RecordHeader) []kgo.RecordHeader {
	if _, ok := Header(to, "traceparent"); ok {
		return to
	}
	if tp, ok := Header(from, "traceparent"); !ok || !ValidTraceparent(string(tp)) {
		return to
	}
	out := to[:len(to):len(to)]
	for _, name := range traceHeaders {
		if v, ok := Header(from, name); ok {
			out = append(out, kgo.RecordHeader{Key: name, Value: v})
		}
	}
	return out
}

// ValidTraceparent tells whether s is a traceparent that a receiver may use (Trace
// Context 1.0 §3.2.2): version-traceid-parentid-flags in lower-case hex, neither id
// all zero, version not ff. Versions above 00 may have more behind the flags.
func ValidTraceparent(s string) bool {
	const length = 55
	if len(s) < length || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	version, traceID, parentID, flags := s[0:2], s[3:35], s[36:52], s[53:55]
	if !lowerHex(version) || !lowerHex(traceID) || !lowerHex(parentID) || !lowerHex(flags) || version == "ff" {
		return false
	}
	if allZero(traceID) || allZero(parentID) {
		return false
	}
	return len(s) == length || version != "00" && s[length] == '-'
}

func lowerHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func allZero(s string) bool {
	for _, c := range []byte(s) {
		if c != '0' {
			return false
		}
	}
	return true
}
