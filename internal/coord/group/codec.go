package group

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// The records of the newer group types are in Kafka's flexible encoding: strings and
// arrays with their length plus one as a varint, and tagged fields at the end of each
// struct. Their keys are in the older one.

// keyOf is the key of a record: the number of its kind, the group, and what else names
// it within the group.
func keyOf(kind int16, names ...string) []byte {
	b := kbin.AppendInt16(nil, kind)
	for _, n := range names {
		b = kbin.AppendString(b, n)
	}
	return b
}

// tombstone deletes the record of that key.
func tombstone(kind int16, names ...string) Record { return Record{Key: keyOf(kind, names...)} }

// readKey takes n names off a key.
func readKey(key []byte, n int) ([]string, error) {
	r := kbin.Reader{Src: key}
	r.Int16()
	names := make([]string, n)
	for i := range names {
		names[i] = r.String()
	}
	return names, r.Complete()
}

// noTags ends a struct without tagged fields.
func noTags(b []byte) []byte { return append(b, 0) }

// appendTag adds a tagged field; the number of them goes before.
func appendTag(b []byte, tag uint32, field []byte) []byte {
	b = kbin.AppendUvarint(b, tag)
	b = kbin.AppendUvarint(b, uint32(len(field)))
	return append(b, field...)
}

func appendStrings(b []byte, ss []string) []byte {
	b = kbin.AppendCompactArrayLen(b, len(ss))
	for _, s := range ss {
		b = kbin.AppendCompactString(b, s)
	}
	return b
}

func appendInt32s(b []byte, is []int32) []byte {
	b = kbin.AppendCompactArrayLen(b, len(is))
	for _, i := range is {
		b = kbin.AppendInt32(b, i)
	}
	return b
}

// fields reads a value of the flexible encoding.
type fields struct{ kbin.Reader }

// length reads an array's length; a null array has none.
func (f *fields) length() int { return max(int(f.CompactArrayLen()), 0) }

func (f *fields) strings() []string {
	ss := make([]string, f.length())
	for i := range ss {
		ss[i] = f.CompactString()
	}
	return ss
}

func (f *fields) int32s() []int32 {
	is := make([]int32, f.length())
	for i := range is {
		is[i] = f.Int32()
	}
	return is
}

// tags reads the tagged fields that end a struct: of those in known the content goes
// to the function, the others are skipped.
func (f *fields) tags(known map[uint32]func(*fields)) {
	for n := f.Uvarint(); n > 0 && f.Ok(); n-- {
		tag := f.Uvarint()
		field := fields{kbin.Reader{Src: f.Span(int(f.Uvarint()))}}
		if read := known[tag]; read != nil && f.Ok() {
			if read(&field); !field.Ok() {
				f.Span(-1) // it is broken as a whole
			}
		}
	}
}

// readValue reads a value of version 0, the only one of all these records. It returns
// false for a newer version.
func readValue(kind string, value []byte, read func(*fields)) (known bool, err error) {
	if known, err = knows(value, 0); !known {
		return false, err
	}
	f := fields{kbin.Reader{Src: value[2:]}}
	read(&f)
	if !f.Ok() {
		return false, fmt.Errorf("group: a %s record ends before its fields do", kind)
	}
	return true, nil
}
