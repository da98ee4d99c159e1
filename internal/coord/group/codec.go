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

// appendPartitions adds partitions, which are sorted, by topic.
func appendPartitions(b []byte, ps []partition) []byte {
	b = kbin.AppendCompactArrayLen(b, countTopics(ps))
	for topic, ps := range byTopic(ps) {
		b = kbin.AppendUuid(b, topic)
		b = noTags(appendInt32s(b, indexes(ps)))
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

func (f *fields) partitions() (ps []partition) {
	for range f.length() {
		topic := f.Uuid()
		for _, i := range f.int32s() {
			ps = append(ps, partition{topic, i})
		}
		f.tags(nil)
	}
	return ps
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

// epochRecord has an epoch, and in a tagged field a number that is not there when it is
// 0: of a consumer group, and of the targets of either type.
func epochRecord(kind int16, group string, epoch int32, number int64) Record {
	b := kbin.AppendInt16(nil, 0)
	b = kbin.AppendInt32(b, epoch)
	if number == 0 {
		b = noTags(b)
	} else {
		b = kbin.AppendUvarint(b, 1)
		b = appendTag(b, 0, kbin.AppendInt64(nil, number))
	}
	return Record{Key: keyOf(kind, group), Value: b}
}

func readEpoch(kind string, value []byte) (epoch int32, number int64, known bool, err error) {
	known, err = readValue(kind, value, func(f *fields) {
		epoch = f.Int32()
		f.tags(map[uint32]func(*fields){0: func(f *fields) { number = f.Int64() }})
	})
	return epoch, number, known, err
}

// targetOneRecord has what a member shall have; ps is sorted. A member that shall have
// nothing has no such record.
func targetOneRecord(kind int16, group, member string, ps []partition) Record {
	if len(ps) == 0 {
		return tombstone(kind, group, member)
	}
	return Record{Key: keyOf(kind, group, member), Value: noTags(appendPartitions(kbin.AppendInt16(nil, 0), ps))}
}

func readTargetOne(kind string, value []byte) (ps []partition, known bool, err error) {
	known, err = readValue(kind, value, func(f *fields) {
		ps = f.partitions()
		f.tags(nil)
	})
	return sortedPartitions(ps), known, err
}
