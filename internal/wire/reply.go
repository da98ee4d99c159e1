package wire

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Reply is what a handler returns for a request: an answer, the promise of one,
// none, or the end of the connection. Make it with answer, later, noAnswer or
// hangUp.
type Reply struct {
	p *Pending
}

// Pending is an answer that is yet to come. One of its methods is called once, from
// any goroutine; none of them blocks. The first call counts, a second one does
// nothing: it is a mistake, but no reason to take the process.
type Pending struct {
	taken atomic.Bool
	ready atomic.Bool           // the outcome below is set
	queue atomic.Pointer[queue] // whose turn it waits for
	// unwanted: the connection is gone. freed: what the answer held is given back.
	unwanted, freed atomic.Bool
	outcome
}

// outcome is one of: an answer, none (both nil), the end of the connection.
type outcome struct {
	resp kmsg.Response
	fail error
}

// done is a reply that was complete when it was made.
func done(o outcome) Reply {
	p := &Pending{outcome: o}
	p.taken.Store(true)
	p.ready.Store(true)
	return Reply{p}
}

// answer is a reply that is ready.
func answer(resp kmsg.Response) Reply { return done(outcome{resp: resp}) }

// noAnswer tells that the client expects nothing: produce with acks=0.
func noAnswer() Reply { return done(outcome{}) }

// hangUp closes the connection after the answers that come before this one.
func hangUp(why error) Reply { return done(outcome{fail: why}) }

// later is a reply that somebody completes by the Pending.
func later() (*Pending, Reply) {
	p := &Pending{}
	return p, Reply{p}
}

// complete sets the outcome and tells the queue, if the reply is in it by now:
// queue.put looks the other way round, so that one of the two sees the other.
func (p *Pending) complete(o outcome) {
	if p.taken.Swap(true) {
		o.release()
		return
	}
	p.outcome = o
	p.ready.Store(true)
	if q := p.queue.Load(); q != nil {
		q.completed()
	}
	if p.unwanted.Load() {
		p.free()
	}
}

// drop says that nobody wants the answer any more, whether it is there or still to
// come.
func (p *Pending) drop() {
	p.unwanted.Store(true)
	if p.ready.Load() {
		p.free()
	}
}

func (p *Pending) free() {
	if !p.freed.Swap(true) {
		p.release()
	}
}

// release gives back what an answer holds that was not sent.
func (o outcome) release() {
	if r, ok := o.resp.(interface{ release() }); ok {
		r.release()
	}
}

// Answer sends resp, in its turn. The caller does not touch resp again.
func (p *Pending) Answer(resp kmsg.Response) { p.complete(outcome{resp: resp}) }

// NoAnswer sends nothing: produce with acks=0.
func (p *Pending) NoAnswer() { p.complete(outcome{}) }

// HangUp closes the connection after the answers before this one; why goes to
// the log.
func (p *Pending) HangUp(why error) { p.complete(outcome{fail: why}) }
