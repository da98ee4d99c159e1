package event

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// maxID bounds the ids taken from a record. Ids are copied into the headers of
// every result, so a stranger's megabyte in one would be paid for many times.
const maxID = 512

// Identity is who an event is. It is the same each time the record is read, after
// a restart, and when a dead letter of it is redriven.
type Identity struct {
	// ID is the event's own id: of a result the one derived when it was made
	// (leat-event-id), else its CloudEvents id, else Position.
	ID string
	// Root is the id of the event at the root of this one, carried as the
	// correlation id; the event's own id when it is a root itself.
	Root string
	// Topic, Partition and Offset are where the record was first read: of a
	// redriven one where it stood before it became a dead letter.
	Topic     string
	Partition int32
	Offset    int64
}

// Position returns topic/partition/offset of where the record was first read.
func (id Identity) Position() string { return Position(id.Topic, id.Partition, id.Offset) }

// Position writes topic/partition/offset, the form in which places in a log appear
// in headers, ids and messages.
func Position(topic string, partition int32, offset int64) string {
	return topic + "/" + strconv.Itoa(int(partition)) + "/" + strconv.FormatInt(offset, 10)
}

// ParsePosition reads what Position writes; ok is false when s is not of that form.
func ParsePosition(s string) (topic string, partition int32, offset int64, ok bool) {
	rest, off, ok1 := cutLast(s)
	topic, part, ok2 := cutLast(rest)
	p, err1 := strconv.ParseInt(part, 10, 32)
	o, err2 := strconv.ParseInt(off, 10, 64)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || topic == "" || p < 0 || o < 0 {
		return "", 0, 0, false
	}
	return topic, int32(p), o, true
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// Identify returns the identity of a record that was read from a topic. Headers
// that make no sense (an empty or oversize id, a position that does not parse) are
// passed over, never an error: every record has an identity.
func Identify(r *kgo.Record) Identity {
	id := Identity{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	if v, ok := Header(r.Headers, HeaderOrigin); ok {
		if t, p, o, ok := ParsePosition(string(v)); ok {
			id.Topic, id.Partition, id.Offset = t, p, o
		}
	}
	if v, ok := Header(r.Headers, HeaderEventID); ok && usableID(v) {
		id.ID = string(v)
	} else if ce, ok := cloudEventID(r); ok {
		id.ID = ce
	} else {
		id.ID = id.Position()
	}
	if v, ok := Header(r.Headers, HeaderCorrelationID); ok && usableID(v) {
		id.Root = string(v)
	} else {
		id.Root = id.ID
	}
	return id
}

func usableID(b []byte) bool {
	if len(b) == 0 || len(b) > maxID || !utf8.Valid(b) {
		return false
	}
	for _, c := range string(b) {
		if unicode.IsControl(c) {
			return false
		}
	}
	return true
}
