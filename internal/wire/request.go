package wire

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
)

// Anonymous is the principal of a connection that did not log in.
const Anonymous = "User:ANONYMOUS"

// Request is everything about one request but its body.
type Request struct {
	// Key and Version say which API it is; Version is one that Key serves.
	Key, Version int16
	// CorrelationID is the client's number of the request, echoed to it.
	CorrelationID int32
	// ClientID is the client's name for itself, "" when it gave none.
	ClientID string
	// Principal is who asks, as "Type:name".
	Principal string
	// Peer is the connection the request came by.
	Peer *Peer
	// Received is when the frame was complete.
	Received time.Time
	// Ctx ends when nobody waits for the answer any more, or the server stops.
	Ctx context.Context
	// Alone says that the client sends nothing more before it has the answer, as far
	// as can be seen: what the handler appends may gather in the log. Then it sets
	// Gathered, and the connection calls the log's Flush when the handler has returned.
	Alone, Gathered bool

	// charge is where the client's quotas are charged; nil while there are none at all.
	charge *broker.Charge
}

// Peer is the far side of one connection. All its methods may be called from
// any goroutine.
type Peer struct {
	// ID numbers the server's connections, from 1.
	ID uint64
	// Listener is where it came in.
	Listener *Listener
	// Host is the client's address without the port, as consumer group
	// descriptions show it ("/127.0.0.1" is Kafka's form: see KafkaHost).
	Host string
	// Addr is the client's address with the port.
	Addr string

	software atomic.Pointer[software]
}

type software struct{ name, version string }

// Software is the client library's name and version (KIP-511), "unknown" until
// the client told.
func (p *Peer) Software() (name, version string) {
	if s := p.software.Load(); s != nil {
		return s.name, s.version
	}
	return "unknown", "unknown"
}

// KafkaHost is the host as Kafka writes it in group descriptions: Java's
// InetAddress text, "/" and the address.
func (p *Peer) KafkaHost() string { return "/" + p.Host }

// run answers with what fn returns, from a goroutine of its own, so that fn may
// block. A panic in fn closes the connection, no more.
func (r *Request) run(fn func() kmsg.Response) Reply {
	p, reply := later()
	go func() {
		var resp kmsg.Response
		if err := guard(func() { resp = fn() }); err != nil {
			p.HangUp(err)
			return
		}
		p.Answer(resp)
	}()
	return reply
}

// panicError is a handler's panic, with the stack of where it happened.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("handler panicked: %v", e.value) }

// guard runs fn and returns its panic as an error.
func guard(fn func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	fn()
	return nil
}
