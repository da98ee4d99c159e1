package wire

import (
	"math"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/plog"
)

// due is what one request's client is to be charged with when the answer goes out.
type due struct {
	charge *broker.Charge
	size   int           // bytes of the request
	work   time.Duration // that the connection's reader spent on it
}

// worked is called when the handler has returned.
func (d *due) worked(since time.Time) { d.work = time.Since(since) }

// settle charges the client with a request whose answer is about to go out, puts into the
// answer how long it has to wait, and leaves the connection unread for as long (KIP-219:
// the answer comes at once). A handler may have put a wait into the answer before: the
// longer one counts.
func (c *conn) settle(s *slot) {
	d := s.due
	if d == nil {
		return
	}
	s.due = nil
	resp := s.reply.resp
	var wait time.Duration
	if t, ok := resp.(kmsg.ThrottleResponse); ok {
		ms, _ := t.Throttle()
		wait = time.Duration(ms) * time.Millisecond
	}
	switch s.key {
	case keyProduce:
		wait = max(wait, d.charge.Produced(d.size))
	case keyShareFetch:
		wait = max(wait, d.charge.Shared(func() int { return answerSize(resp) }))
	}
	// Exempt, as in Kafka: what has no answer, and what only brokers send.
	if resp != nil && s.key != keyWriteTxnMarkers {
		wait = max(wait, d.charge.Worked(d.work))
	}
	if wait <= 0 {
		return
	}
	if t, ok := resp.(kmsg.SetThrottleResponse); ok {
		t.SetThrottle(waitMillis(wait))
	}
	c.q.mute(wait)
}

// waitMillis is a wait as answers tell it.
func waitMillis(wait time.Duration) int32 {
	return int32(min(wait.Milliseconds(), math.MaxInt32))
}

// answerSize is how many bytes an answer has, with its records, which stay where they are.
func answerSize(resp kmsg.Response) (size int) {
	var records []plog.Records
	switch r := resp.(type) {
	case *fetchAnswer:
		resp, records = r.FetchResponse, r.records
	case *shareFetchAnswer:
		resp, records = r.ShareFetchResponse, r.records
	}
	for i := range records {
		size += records[i].Size()
	}
	return size + len(resp.AppendTo(nil))
}

// holdOff tells whether a connection's address has made too many (KIP-612). It is then
// not served, kept open for some time, so that the client does not come back at once, and
// closed. s.mu is held.
func (s *Server) holdOff(nc net.Conn) bool {
	if s.cfg.Broker == nil {
		return false
	}
	wait := s.cfg.Broker.Quotas.Connect(hostOf(nc.RemoteAddr().String()))
	if wait <= 0 {
		return false
	}
	s.held[nc] = time.AfterFunc(wait, func() {
		s.mu.Lock()
		delete(s.held, nc)
		s.mu.Unlock()
		nc.Close()
	})
	return true
}

// letGo closes the connections that are held off. s.mu is held.
func (s *Server) letGo() {
	for nc, t := range s.held {
		t.Stop()
		nc.Close()
	}
	clear(s.held)
}

// hostOf is an address without its port.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}
