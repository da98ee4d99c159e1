package event

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Header names of our own. See the package comment.
const (
	HeaderEventID       = "leat-event-id"
	HeaderCorrelationID = "leat-correlation-id"
	HeaderOrigin        = "leat-origin"
	HeaderPipeline      = "leat-pipeline"
	HeaderStep          = "leat-step"
	HeaderModel         = "leat-model"
	HeaderModelVersion  = "leat-model-version"
)

// Header returns the value of the last header of that name, and whether there is
// one. Kafka allows a name to repeat; the last one counts, as with Java's
// Headers.lastHeader.
func Header(hs []kgo.RecordHeader, name string) ([]byte, bool) {
	for i := len(hs) - 1; i >= 0; i-- {
		if hs[i].Key == name {
			return hs[i].Value, true
		}
	}
	return nil, false
}

// SetHeader returns hs with exactly one header of that name, in the place of the
// first that was there, else at the end. hs itself is not changed.
func SetHeader(hs []kgo.RecordHeader, name, value string) []kgo.RecordHeader {
	out := make([]kgo.RecordHeader, 0, len(hs)+1)
	set := false
	for _, h := range hs {
		if h.Key != name {
			out = append(out, h)
		} else if !set {
			out = append(out, kgo.RecordHeader{Key: name, Value: []byte(value)})
			set = true
		}
	}
	if !set {
		out = append(out, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return out
}

func contentType(hs []kgo.RecordHeader) string {
	for i := len(hs) - 1; i >= 0; i-- {
		if strings.EqualFold(hs[i].Key, "content-type") {
			return string(hs[i].Value)
		}
	}
	return ""
}
