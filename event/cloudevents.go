package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Mode is how a CloudEvent is laid out on a Kafka record (Kafka protocol binding
// 1.0.2, §3).
type Mode int

const (
	// NotCloudEvent is any other record.
	NotCloudEvent Mode = iota
	// Binary has one header ce_<name> per attribute, and the data as the value.
	Binary
	// Structured has the whole event as the value, in the JSON format.
	Structured
)

// CloudEvent is an event's attributes and data.
type CloudEvent struct {
	// Attributes are the context attributes by name, without prefix
	// (specversion, id, source, type, time, extensions; datacontenttype too).
	Attributes map[string]string
	// Data is the payload; nil when there is none.
	Data []byte
}

// ModeOf tells how, if at all, a record is a CloudEvent: structured when its
// content-type begins with application/cloudevents (whatever the case), binary when
// it has a header ce_specversion.
func ModeOf(r *kgo.Record) Mode {
	ct := contentType(r.Headers)
	const prefix = "application/cloudevents"
	if len(ct) >= len(prefix) && strings.EqualFold(ct[:len(prefix)], prefix) {
		return Structured
	}
	if _, ok := Header(r.Headers, "ce_specversion"); ok {
		return Binary
	}
	return NotCloudEvent
}

// Parse reads a record that is a CloudEvent in either mode. The error says what
// breaks the specification: a required attribute that is missing, a value that is
// not JSON, batch mode (which the Kafka binding does not allow).
func Parse(r *kgo.Record) (CloudEvent, error) {
	var ce CloudEvent
	switch ModeOf(r) {
	case Binary:
		ce = parseBinary(r)
	case Structured:
		var err error
		if ce, err = parseStructured(r); err != nil {
			return CloudEvent{}, err
		}
	default:
		return CloudEvent{}, fmt.Errorf("not a CloudEvent: neither a header ce_specversion nor a content-type application/cloudevents")
	}
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if ce.Attributes[name] == "" {
			return CloudEvent{}, fmt.Errorf("not a valid CloudEvent: the required attribute %q is missing or empty", name)
		}
	}
	return ce, nil
}

func parseBinary(r *kgo.Record) CloudEvent {
	ce := CloudEvent{Attributes: map[string]string{}, Data: r.Value}
	for _, h := range r.Headers {
		if name, ok := strings.CutPrefix(h.Key, "ce_"); ok && name != "" {
			ce.Attributes[name] = string(h.Value)
		}
	}
	if ct := contentType(r.Headers); ct != "" {
		ce.Attributes["datacontenttype"] = ct
	}
	return ce
}

func parseStructured(r *kgo.Record) (CloudEvent, error) {
	ct := strings.ToLower(contentType(r.Headers))
	switch format, _, _ := strings.Cut(ct, ";"); strings.TrimSpace(format) {
	case "application/cloudevents+json", "application/cloudevents":
	case "application/cloudevents-batch+json":
		return CloudEvent{}, fmt.Errorf("content-type %q: the Kafka binding does not allow batches of CloudEvents in one record", ct)
	default:
		return CloudEvent{}, fmt.Errorf("content-type %q: only the JSON event format (application/cloudevents+json) is understood", ct)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(r.Value, &members); err != nil {
		return CloudEvent{}, fmt.Errorf("structured CloudEvent: the value is not a JSON object: %w", err)
	}
	ce := CloudEvent{Attributes: map[string]string{}}
	for name, raw := range members {
		switch name {
		case "data":
			ce.Data = raw
			if string(raw) == "null" {
				ce.Data = nil
			}
		case "data_base64":
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return CloudEvent{}, fmt.Errorf("structured CloudEvent: data_base64 is not a string: %w", err)
			}
			data, err := base64.StdEncoding.DecodeString(s)
			if err != nil {
				return CloudEvent{}, fmt.Errorf("structured CloudEvent: data_base64: %w", err)
			}
			ce.Data = data
		default:
			var s string
			if json.Unmarshal(raw, &s) == nil {
				ce.Attributes[name] = s
			} else {
				ce.Attributes[name] = string(raw) // numbers and booleans: their canonical text
			}
		}
	}
	return ce, nil
}

// WriteBinary lays the event out on r in binary mode: ce_* headers in the order of
// their names, datacontenttype as content-type, the data as the value (nil data is
// a null value, a tombstone). Other headers stay; ce_* and content-type that were
// there are replaced.
func (ce CloudEvent) WriteBinary(r *kgo.Record) {
	r.Headers = ce.binaryHeaders(r.Headers)
	r.Value = ce.Data
}

func (ce CloudEvent) binaryHeaders(hs []kgo.RecordHeader) []kgo.RecordHeader {
	out := slices.DeleteFunc(slices.Clone(hs), func(h kgo.RecordHeader) bool {
		return strings.HasPrefix(h.Key, "ce_") || strings.EqualFold(h.Key, "content-type")
	})
	for _, name := range slices.Sorted(maps.Keys(ce.Attributes)) {
		key := "ce_" + name
		if name == "datacontenttype" {
			key = "content-type"
		}
		out = append(out, kgo.RecordHeader{Key: key, Value: []byte(ce.Attributes[name])})
	}
	return out
}

// cloudEventID returns the id of a CloudEvent. It is lenient where Parse is not:
// an id is worth having even when another attribute is missing.
func cloudEventID(r *kgo.Record) (string, bool) {
	if ModeOf(r) != Structured {
		v, ok := Header(r.Headers, "ce_id")
		return string(v), ok && usableID(v)
	}
	if !bytes.Contains(r.Value, []byte(`"id"`)) {
		return "", false // spares decoding a large value for nothing
	}
	var e struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(r.Value, &e) != nil || !usableID([]byte(e.ID)) {
		return "", false
	}
	return e.ID, true
}
