package event

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// namespace is the UUID namespace of derived ids: the version 5 UUID of
// "leat.dev" in the DNS namespace, so that it can be recomputed.
var namespace = uuid5([16]byte{
	0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8,
}, "leat.dev")

// DerivedID is the id of what a step makes of a root event: a version 5 UUID
// (RFC 9562 §5.5) of root, step and any further parts, each preceded by a zero
// byte but the first. Equal inputs give equal ids on every machine, so a repeat is
// recognisable.
//
// step is <pipeline>.<step>. Parts tell several results of one step and one root
// apart: the input's own id when the input is not the root itself, an index when a
// step makes several records of one input.
func DerivedID(root, step string, parts ...string) string {
	u := uuid5(namespace, strings.Join(append([]string{root, step}, parts...), "\x00"))
	var b [36]byte
	hex.Encode(b[0:8], u[0:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:36], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

func uuid5(ns [16]byte, name string) [16]byte {
	h := sha1.New() // SHA-1 is what version 5 prescribes; nothing here is secret
	h.Write(ns[:])
	h.Write([]byte(name))
	var u [16]byte
	copy(u[:], h.Sum(nil))
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return u
}

// Maker is what made a result. Empty fields leave their header out.
type Maker struct {
	Pipeline, Step      string
	Model, ModelVersion string
}

func (m Maker) name() string {
	if m.Pipeline == "" {
		return m.Step
	}
	return m.Pipeline + "." + m.Step
}

// Derive returns the headers of a result that a step made of record in: in's own
// headers (trace context and creation context untouched), with the result's id,
// the root's id as correlation id, and the maker's names. A result of a CloudEvent,
// whatever its mode, is a CloudEvent in binary mode with the same attributes and
// the new id. What tells of in's own way here (its origin, its redrives) is left
// out. Parts are DerivedID's.
func Derive(in *kgo.Record, id Identity, by Maker, parts ...string) []kgo.RecordHeader {
	if id.ID != id.Root {
		parts = append([]string{id.ID}, parts...)
	}
	newID := DerivedID(id.Root, by.name(), parts...)

	hs := in.Headers
	if ModeOf(in) == Structured {
		if ce, err := Parse(in); err == nil {
			hs = ce.binaryHeaders(hs)
		}
	}
	out := make([]kgo.RecordHeader, 0, len(hs)+6)
	isCE := false
	for _, h := range hs {
		switch {
		case h.Key == "ce_id":
			if !isCE {
				out = append(out, kgo.RecordHeader{Key: h.Key, Value: []byte(newID)})
			}
			isCE = true
		case ownHeader(h.Key):
		default:
			out = append(out, h)
		}
	}
	add := func(name, value string) {
		if value != "" {
			out = append(out, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
	}
	add(HeaderEventID, newID)
	add(HeaderCorrelationID, id.Root)
	add(HeaderPipeline, by.Pipeline)
	add(HeaderStep, by.Step)
	add(HeaderModel, by.Model)
	add(HeaderModelVersion, by.ModelVersion)
	return out
}

// ownHeader tells the headers that belong to one record and not to its results.
func ownHeader(name string) bool {
	switch name {
	case HeaderEventID, HeaderCorrelationID, HeaderOrigin, HeaderPipeline, HeaderStep, HeaderModel, HeaderModelVersion:
		return true
	}
	return strings.HasPrefix(name, "leat.dlq.")
}
