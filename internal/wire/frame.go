package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// minFrame is the smallest request: key, version, correlation id.
const minFrame = 2 + 2 + 4

// Errors of frames and requests. They end the connection.
var (
	errFrameTooLong  = errors.New("frame is too long")
	errFrameTooShort = errors.New("frame is shorter than a request header")
	errUnknownKey    = errors.New("unknown API key")
	errVersion       = errors.New("unsupported version")
	errMalformed     = errors.New("malformed request")
)

// readLength reads a frame's length and refuses one outside [minFrame, limit].
// io.EOF means that the client closed between frames.
func readLength(r *bufio.Reader, limit int) (int, error) {
	head, err := r.Peek(4)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	n := int64(int32(binary.BigEndian.Uint32(head)))
	switch {
	case n < minFrame:
		return 0, fmt.Errorf("%w: length %d, want at least %d", errFrameTooShort, n, minFrame)
	case n > int64(limit):
		return 0, fmt.Errorf("%w: length %d, socket.request.max.bytes is %d%s", errFrameTooLong, n, limit, stranger([4]byte(head)))
	}
	r.Discard(4)
	return int(n), nil
}

// stranger guesses what the first bytes of another protocol are.
func stranger(head [4]byte) string {
	switch {
	case head[0] == 0x16 && head[1] == 3:
		return "; this looks like TLS, and the listener is plaintext: turn TLS off in the client"
	case slices.Contains([]string{"GET ", "POST", "PUT ", "HEAD", "OPTI", "PRI "}, string(head[:])):
		return "; this looks like HTTP, and the listener speaks the Kafka protocol"
	}
	return ""
}

// header is a request header (v1 and v2; v0 was only ever used by a key that is
// not served).
type header struct {
	key, version  int16
	correlationID int32
	clientID      string
	err           error // the client id is cut short
}

// parseHead reads what every version of the header has, and returns what follows
// it. A header that is cut short has no client id; decode says so. likely is the
// client id that it may well have: then nothing is allocated.
func parseHead(frame []byte, likely string) (header, []byte) {
	h := header{
		key:           int16(binary.BigEndian.Uint16(frame)),
		version:       int16(binary.BigEndian.Uint16(frame[2:])),
		correlationID: int32(binary.BigEndian.Uint32(frame[4:])),
	}
	c := cursor{rest: frame[minFrame:]}
	id := c.nullableString()
	if h.clientID = likely; string(id) != likely {
		h.clientID = string(id)
	}
	h.err = c.err
	return h, c.rest
}

// decode reads a request whose key and version are known; rest is what parseHead
// left of the frame. The result's byte slices point into rest.
func decode(h *header, rest []byte) (kmsg.Request, error) {
	req := kmsg.RequestForKey(h.key)
	req.SetVersion(h.version)
	c := cursor{rest: rest, err: h.err}
	if req.IsFlexible() {
		c.tags(nil, h.version)
	}
	if c.err != nil {
		return nil, fmt.Errorf("%w: header: %w", errMalformed, c.err)
	}
	body, err := bodyIn(h.key, h.version, c.rest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if err := req.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return req, nil
}

// appendReply appends a whole response frame. ApiVersions keeps response header
// v0, without the tag byte, in every version (KIP-511): a client must be able to
// read it before it knows what the server speaks.
func appendReply(b []byte, correlationID int32, resp kmsg.Response) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(correlationID))
	if resp.IsFlexible() && resp.Key() != keyApiVersions {
		b = append(b, 0) // no tagged fields
	}
	b = resp.AppendTo(b)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}
