package kfake

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// accept serves clients until the listener is closed.
func (c *Cluster) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", c.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		c.mu.Lock()
		if c.closed {
			_ = client.Close()
			_ = broker.Close()
			c.mu.Unlock()
			return
		}
		c.conns[client], c.conns[broker] = true, true
		c.mu.Unlock()
		p := &proxied{c: c, client: client, broker: broker}
		var both sync.WaitGroup
		both.Go(func() { p.end(p.requests()) })
		both.Go(func() { p.end(p.replies()) })
		c.serving.Go(func() {
			both.Wait()
			c.mu.Lock()
			delete(c.conns, client)
			delete(c.conns, broker)
			c.mu.Unlock()
		})
	}
}

// proxied is a client's connection and the one to the broker that belongs to it.
type proxied struct {
	c              *Cluster
	client, broker net.Conn

	mu sync.Mutex
	// due are the answers that the client waits for, in the order of its requests.
	due []answer
}

// answer is the broker's to come, or one that a test has given.
type answer struct {
	correlation int32
	frame       []byte // nil: the broker's
}

func (p *proxied) end(err error) {
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		fmt.Fprintln(os.Stderr, "proxy:", err)
	}
	_ = p.client.Close()
	_ = p.broker.Close()
}

func readFrame(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(4)
	if err != nil {
		return nil, err
	}
	frame := make([]byte, 4+int(binary.BigEndian.Uint32(head)))
	_, err = io.ReadFull(r, frame)
	return frame, err
}

// requests passes on what the client asks.
func (p *proxied) requests() error {
	for r := bufio.NewReader(p.client); ; {
		frame, err := readFrame(r)
		if err != nil {
			return err
		}
		if len(frame) < 14 {
			return fmt.Errorf("a request of %d bytes", len(frame))
		}
		key := int16(binary.BigEndian.Uint16(frame[4:]))
		correlation := int32(binary.BigEndian.Uint32(frame[8:]))
		answered := true // acks=0 has no answer
		if key == int16(kmsg.Produce) || p.c.concerned(key) {
			req, err := decode(frame)
			if err != nil {
				return err
			}
			produce, ok := req.(*kmsg.ProduceRequest)
			answered = !ok || produce.Acks != 0
			if resp, err, handled := p.c.intercept(req); handled {
				if err != nil {
					return fmt.Errorf("the test ends the connection: %w", err)
				}
				if resp != nil {
					if err := p.give(correlation, encode(req, resp, correlation)); err != nil {
						return err
					}
				}
				continue
			}
		}
		if answered {
			p.mu.Lock()
			p.due = append(p.due, answer{correlation: correlation})
			p.mu.Unlock()
		}
		if _, err := p.broker.Write(frame); err != nil {
			return err
		}
	}
}

// give answers a request in its turn.
func (p *proxied) give(correlation int32, frame []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = append(p.due, answer{correlation, frame})
	return p.flush()
}

// flush writes the answers that are there up to the first one that the broker
// owes. The caller holds mu.
func (p *proxied) flush() error {
	for len(p.due) > 0 && p.due[0].frame != nil {
		if _, err := p.client.Write(p.due[0].frame); err != nil {
			return err
		}
		p.due = p.due[1:]
	}
	return nil
}

// replies passes on what the broker answers.
func (p *proxied) replies() error {
	for r := bufio.NewReader(p.broker); ; {
		frame, err := readFrame(r)
		if err != nil {
			return err
		}
		correlation := int32(binary.BigEndian.Uint32(frame[4:]))
		p.mu.Lock()
		if len(p.due) == 0 || p.due[0].correlation != correlation {
			p.mu.Unlock()
			return fmt.Errorf("the broker answers request %d out of turn", correlation)
		}
		p.due[0].frame = frame
		err = p.flush()
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// decode reads a request in its frame: size, key, version, correlation id, client id, and
// from the flexible versions on tags.
func decode(frame []byte) (kmsg.Request, error) {
	key, version := int16(binary.BigEndian.Uint16(frame[4:])), int16(binary.BigEndian.Uint16(frame[6:]))
	req := kmsg.RequestForKey(key)
	if req == nil {
		return nil, fmt.Errorf("a request with key %d", key)
	}
	req.SetVersion(version)
	body := frame[14:]
	if n := int16(binary.BigEndian.Uint16(frame[12:])); n > 0 {
		if int(n) > len(body) {
			return nil, fmt.Errorf("a client id of %d bytes in a request of %d", n, len(frame))
		}
		body = body[n:]
	}
	if req.IsFlexible() {
		if len(body) == 0 || body[0] != 0 {
			return nil, errors.New("a request's header has tags, which the proxy cannot read")
		}
		body = body[1:]
	}
	return req, req.ReadFrom(body)
}

// encode is the frame of an answer.
func encode(req kmsg.Request, resp kmsg.Response, correlation int32) []byte {
	resp.SetVersion(req.GetVersion())
	frame := make([]byte, 8, 256)
	binary.BigEndian.PutUint32(frame[4:], uint32(correlation))
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		frame = append(frame, 0)
	}
	frame = resp.AppendTo(frame)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}
