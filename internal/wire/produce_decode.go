package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// produceDecoder reads the Produce requests of one connection, each into the
// memory of the one before: one walk, and as good as no allocation. It takes what
// decode takes and refuses what decode refuses (a test compares them); what it
// returns is valid until the next call, and its records point into the frame.
type produceDecoder struct {
	req kmsg.ProduceRequest
}

// keepElements is how many topics or partitions a decoder keeps memory for.
const keepElements = 1 << 10

func (d *produceDecoder) decode(h *header, rest []byte) (kmsg.Request, error) {
	req := &d.req
	req.Version = h.version
	c := cursor{rest: rest, err: h.err, flexible: req.IsFlexible(), elements: maxElements}
	if c.flexible {
		c.tags(nil, h.version)
	}
	if c.err != nil {
		return nil, fmt.Errorf("%w: header: %w", errMalformed, c.err)
	}
	req.TransactionID = nil
	if h.version >= 3 {
		if id := c.text(); id != nil {
			req.TransactionID = kmsg.StringPtr(string(id))
		}
	}
	req.Acks = int16(c.uint16())
	req.TimeoutMillis = c.int32()
	topics := c.count()
	if cap(req.Topics) > keepElements {
		req.Topics = nil
	}
	req.Topics = req.Topics[:0]
	for i := 0; i < topics && c.err == nil; i++ {
		d.topic(&c, h.version)
	}
	if c.flexible && c.err == nil {
		c.tags(nil, h.version)
	}
	if c.err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, c.err)
	}
	return req, nil
}

func (d *produceDecoder) topic(c *cursor, version int16) {
	req := &d.req
	if n := len(req.Topics); n < cap(req.Topics) {
		req.Topics = req.Topics[:n+1] // with the name and the memory of an earlier one
	} else {
		req.Topics = append(req.Topics, kmsg.ProduceRequestTopic{})
	}
	t := &req.Topics[len(req.Topics)-1]
	if version >= 13 {
		t.Topic = ""
		copy(t.TopicID[:], c.take(len(t.TopicID)))
	} else {
		t.TopicID = [16]byte{}
		name := c.text()
		if name == nil && c.err == nil {
			c.fail(errNegative) // a topic's name cannot be null
		}
		if t.Topic != string(name) {
			t.Topic = string(name)
		}
	}
	partitions := c.count()
	if cap(t.Partitions) > keepElements {
		t.Partitions = nil
	}
	t.Partitions = t.Partitions[:0]
	for i := 0; i < partitions && c.err == nil; i++ {
		p := kmsg.ProduceRequestTopicPartition{Partition: c.int32(), Records: c.bytes()}
		if c.flexible && c.err == nil {
			c.tags(nil, version)
		}
		t.Partitions = append(t.Partitions, p)
	}
	if c.flexible && c.err == nil {
		c.tags(nil, version)
	}
}

func (c *cursor) uint16() uint16 {
	b := c.take(2)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// text is a string in the form of the version; nil when it is null (or cut short).
func (c *cursor) text() []byte {
	if c.flexible {
		return c.exactly(c.compact())
	}
	return c.exactly(int64(int16(c.uint16())))
}

// bytes is what text is, with the length of bytes.
func (c *cursor) bytes() []byte {
	if c.flexible {
		return c.exactly(c.compact())
	}
	return c.exactly(int64(c.int32()))
}

// exactly takes n bytes, which are nil for -1 and not for 0.
func (c *cursor) exactly(n int64) []byte {
	if b := c.sized(n); b != nil || n != 0 || c.err != nil {
		return b
	}
	return []byte{}
}

// count is the length of an array, 0 for null: as many elements as may be there.
func (c *cursor) count() int {
	var n int64
	if c.flexible {
		n = c.compact()
	} else {
		n = int64(c.int32())
	}
	switch {
	case n < -1:
		c.fail(errNegative)
	case n > int64(c.elements):
		c.fail(errElements)
	}
	if c.err != nil {
		return 0
	}
	n = max(n, 0)
	c.elements -= int(n)
	return int(n)
}
