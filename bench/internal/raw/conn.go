// Package raw is a Kafka client that does as little as a client can: requests are
// encoded beforehand, answers are checked for errors and counted, nothing is
// decoded for anybody. On a machine that broker and client share, the broker is
// the limit with it; with an ordinary client, the client is.
package raw

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	clientID   = "leat-bench"
	maxAnswer  = 256 << 20
	patience   = 60 * time.Second // for one answer
	corrOffset = 8                // of the correlation id in a request: length, key, version before it
)

// Conn is one connection to a broker, for one goroutine at a time.
type Conn struct {
	nc   net.Conn
	corr int32
	next int32 // correlation id of the next answer
	buf  []byte
}

// Dial connects to a broker at host:port.
func Dial(ctx context.Context, addr string) (*Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{nc: nc}, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.nc.Close() }

// Encode makes a request's frame, to be sent again and again with Send.
func Encode(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, req, 0)
}

// Send writes a frame of Encode under the connection's next correlation id, which
// it patches into the frame.
func (c *Conn) Send(frame []byte) error {
	binary.BigEndian.PutUint32(frame[corrOffset:], uint32(c.corr))
	c.corr++
	if err := c.nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := c.nc.Write(frame)
	return err
}

// Receive reads the next answer and returns what follows its correlation id. The
// bytes are valid until the next call.
func (c *Conn) Receive() ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(c.nc, head[:]); err != nil {
		return nil, fmt.Errorf("read an answer: %w", err)
	}
	n, corr := int(binary.BigEndian.Uint32(head[:])), int32(binary.BigEndian.Uint32(head[4:]))
	if n < 4 || n > maxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes: want 4 to %d", n, maxAnswer)
	}
	if corr != c.next {
		return nil, fmt.Errorf("an answer to request %d: want the one to %d", corr, c.next)
	}
	c.next++
	n -= 4
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	if _, err := io.ReadFull(c.nc, c.buf[:n]); err != nil {
		return nil, fmt.Errorf("read an answer of %d bytes: %w", n, err)
	}
	return c.buf[:n], nil
}

// Do sends a request and reads its answer into resp.
func (c *Conn) Do(req kmsg.Request, resp kmsg.Response) error {
	if err := c.Send(Encode(req)); err != nil {
		return err
	}
	b, err := c.Receive()
	if err != nil {
		return err
	}
	resp.SetVersion(req.GetVersion())
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		if len(b) == 0 || b[0] != 0 {
			return fmt.Errorf("answer to %s: a header with tags: want none", kmsg.NameForKey(resp.Key()))
		}
		b = b[1:]
	}
	if err := resp.ReadFrom(b); err != nil {
		return fmt.Errorf("answer to %s: %w", kmsg.NameForKey(resp.Key()), err)
	}
	return nil
}
