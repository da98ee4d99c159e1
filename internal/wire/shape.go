package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// kmsg decodes requests, but it was made for clients that trust their broker: it
// does not mind bytes after the body, it follows a count of tagged fields to the
// end although the bytes ran out (four billion turns for five bytes), and a
// small element on the wire may be a large struct in memory. So every body is
// walked once before kmsg sees it, along its shape in shapes.go: all lengths lie
// inside the frame, and the number of array elements is bounded. The walk allocates
// nothing and does not look into records.
//
// Bytes after the body are passed over, as Kafka does: librdkafka, up to 2.16 at
// least, sends three of them when it asks for the metadata of all topics.

// maxElements bounds the array elements of one request, at all depths together.
const maxElements = 1 << 20

var (
	errCutShort  = errors.New("a field goes beyond the end of the frame")
	errNegative  = errors.New("a negative length that is not null")
	errElements  = fmt.Errorf("more than %d array elements", maxElements)
	errBadVarint = errors.New("a variable-length integer of more than 5 bytes")
)

type kind uint8

const (
	kFixed   kind = iota // size bytes
	kString              // string, nullable or not
	kBytes               // bytes, nullable or not
	kArray               // of elem
	kStruct              // fields
	kMaybe               // one byte that tells whether fields follow
	kUnknown             // a tagged field that nobody knows: skipped whole
)

// field is one field of a body, in versions [from, to].
type field struct {
	kind     kind
	size     int
	from, to int16
	elem     *field  // of kArray
	fields   []field // of kStruct and kMaybe, in order
	tagged   []field // of kStruct and kMaybe: tagged fields by tag
}

const anyVersion = 1<<15 - 1

// shape is a request body. flexible is the first version with compact lengths
// and tagged fields (KIP-482).
type shape struct {
	flexible int16
	body     field
}

// bodyIn walks the body of a request of the given key and version, with which b
// begins, and returns it without what follows.
func bodyIn(key, version int16, b []byte) ([]byte, error) {
	s, ok := shapes[key]
	if !ok {
		return nil, errUnknownKey
	}
	c := cursor{rest: b, flexible: version >= s.flexible, elements: maxElements}
	c.walk(&s.body, version)
	if c.err != nil {
		return nil, c.err
	}
	return b[:len(b)-len(c.rest)], nil
}

// cursor walks over bytes. After the first error it stands still.
type cursor struct {
	rest     []byte
	flexible bool
	elements int // how many array elements may still come
	err      error
}

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.rest = nil
}

func (c *cursor) take(n int) []byte {
	if n > len(c.rest) {
		c.fail(errCutShort)
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) uvarint() uint32 {
	const longest = 5
	v, n := binary.Uvarint(c.rest[:min(longest, len(c.rest))])
	switch {
	case n == 0 && len(c.rest) < longest:
		c.fail(errCutShort)
		return 0
	case n == 0 || v > 1<<32-1:
		c.fail(errBadVarint)
		return 0
	}
	c.rest = c.rest[n:]
	return uint32(v)
}

func (c *cursor) int32() int32 {
	b := c.take(4)
	if b == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(b))
}

// nullableString is a string with a 16-bit length, as headers have it.
func (c *cursor) nullableString() []byte {
	b := c.take(2)
	if b == nil {
		return nil
	}
	return c.sized(int64(int16(binary.BigEndian.Uint16(b))))
}

// sized takes n bytes; -1 is null.
func (c *cursor) sized(n int64) []byte {
	switch {
	case n < -1:
		c.fail(errNegative)
		return nil
	case n <= 0:
		return nil
	case n > int64(len(c.rest)):
		c.fail(errCutShort)
		return nil
	}
	return c.take(int(n))
}

// compact is a length of KIP-482: one more than it says, 0 is null.
func (c *cursor) compact() int64 { return int64(c.uvarint()) - 1 }

// tags walks a section of tagged fields; known holds the fields by tag.
func (c *cursor) tags(known []field, version int16) {
	for n := c.uvarint(); n > 0 && c.err == nil; n-- {
		tag, size := c.uvarint(), c.uvarint()
		if int64(size) > int64(len(c.rest)) {
			c.fail(errCutShort)
			return
		}
		value := c.take(int(size))
		if int64(tag) >= int64(len(known)) || known[tag].kind == kUnknown {
			continue
		}
		in := cursor{rest: value, flexible: true, elements: c.elements}
		in.walk(&known[tag], version)
		c.elements = in.elements
		if in.err != nil {
			c.fail(fmt.Errorf("tagged field %d: %w", tag, in.err))
		}
	}
}

func (c *cursor) walk(f *field, version int16) {
	if version < f.from || version > f.to || c.err != nil {
		return
	}
	switch f.kind {
	case kFixed:
		c.take(f.size)
	case kString:
		if c.flexible {
			c.sized(c.compact())
		} else {
			c.nullableString()
		}
	case kBytes:
		if c.flexible {
			c.sized(c.compact())
		} else {
			c.sized(int64(c.int32()))
		}
	case kArray:
		c.array(f.elem, version)
	case kMaybe:
		if b := c.take(1); len(b) == 1 && int8(b[0]) >= 0 {
			c.members(f, version)
		}
	case kStruct:
		c.members(f, version)
	}
}

func (c *cursor) members(f *field, version int16) {
	for i := range f.fields {
		c.walk(&f.fields[i], version)
	}
	if c.flexible && c.err == nil {
		c.tags(f.tagged, version)
	}
}

func (c *cursor) array(elem *field, version int16) {
	var n int64
	if c.flexible {
		n = c.compact()
	} else {
		n = int64(c.int32())
	}
	if n < -1 {
		c.fail(errNegative)
		return
	}
	if n > int64(c.elements) {
		c.fail(errElements)
		return
	}
	c.elements -= int(max(n, 0))
	for ; n > 0 && c.err == nil; n-- {
		c.walk(elem, version)
	}
}

// parseShape reads the notation of shapes.go.
func parseShape(flexible int16, text string) shape {
	p := shapeParser{text: text}
	s := shape{flexible: flexible, body: p.members(kStruct, 0)}
	return s
}

type shapeParser struct {
	text string
	at   int
}

func (p *shapeParser) bad() {
	panic(fmt.Sprintf("wire: shape %q is wrong at %d", p.text, p.at))
}

func (p *shapeParser) next() byte {
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// members reads fields up to end (0: the end of the text).
func (p *shapeParser) members(k kind, end byte) field {
	f := field{kind: k, to: anyVersion}
	for {
		switch b := p.next(); {
		case b == end:
			if end != 0 {
				p.at++
			}
			return f
		case b == ' ':
			p.at++
		case b == '#':
			p.at++
			tag := int(p.number())
			if p.next() != ':' {
				p.bad()
			}
			p.at++
			for len(f.tagged) <= tag {
				f.tagged = append(f.tagged, field{kind: kUnknown})
			}
			f.tagged[tag] = p.field()
		case b == 0:
			p.bad()
		default:
			f.fields = append(f.fields, p.field())
		}
	}
}

func (p *shapeParser) field() field {
	var f field
	b := p.next()
	p.at++
	switch b {
	case '1', '2', '4', '8':
		f = field{kind: kFixed, size: int(b - '0')}
	case 'u':
		f = field{kind: kFixed, size: 16}
	case 's':
		f = field{kind: kString}
	case 'B':
		f = field{kind: kBytes}
	case '[':
		elem := p.field()
		if p.next() != ']' {
			p.bad()
		}
		p.at++
		f = field{kind: kArray, elem: &elem}
	case '{':
		f = p.members(kStruct, '}')
	case '?':
		if p.next() != '{' {
			p.bad()
		}
		p.at++
		f = p.members(kMaybe, '}')
	default:
		p.at--
		p.bad()
	}
	f.to = anyVersion
	if p.next() == '@' {
		p.at++
		f.from = p.number()
		switch p.next() {
		case '+':
			p.at++
		case '-':
			p.at++
			f.to = p.number()
		default:
			p.bad()
		}
	}
	return f
}

func (p *shapeParser) number() int16 {
	from := p.at
	for b := p.next(); b >= '0' && b <= '9'; b = p.next() {
		p.at++
	}
	n, err := strconv.ParseInt(p.text[from:p.at], 10, 16)
	if err != nil {
		p.bad()
	}
	return int16(n)
}
