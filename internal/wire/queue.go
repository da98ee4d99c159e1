package wire

import (
	"sync"
	"sync/atomic"
	"time"
)

// slot is one request's place in its connection's order.
type slot struct {
	header
	frame int64  // bytes it holds
	share *share // of the memory; nil when it holds none
	reply *Pending
	rest  *outgoing // the answer, when some of it is sent already
	due   *due      // what is to be charged to the client with it; nil for nothing
}

// drop gives back what an answer holds that nobody wants any more.
func (s *slot) drop() {
	s.reply.drop()
	if s.rest != nil {
		s.rest.reset()
	}
}

// queue is the requests of one connection that are under way: the reader puts
// them in and waits for room, the writer takes them out in order.
type queue struct {
	maxRequests int
	maxBytes    int64

	mu      sync.Mutex
	room    sync.Cond // the reader waits for fewer requests
	turn    sync.Cond // the writer waits for the first one's answer
	slots   []slot    // slots[0] is answered next
	bytes   int64
	last    time.Time // when the last one left
	writing bool      // the writer has taken an answer and has not come for the next
	full    bool      // what is on its way in is the last that may come
	mutedTo time.Time // when the client may be heard again
	unmute  *time.Timer
	muted   atomic.Bool
	closed  bool // nothing comes any more
	broken  bool // nothing leaves any more
	cut     bool // nobody waits for answers any more
}

func newQueue(maxRequests int, maxBytes int64) *queue {
	q := &queue{maxRequests: maxRequests, maxBytes: maxBytes, last: time.Now()}
	q.room.L, q.turn.L = &q.mu, &q.mu
	return q
}

// waitForRoom returns when one more request may come; false when none may ever.
func (q *queue) waitForRoom() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.broken && !q.full && (len(q.slots) >= q.maxRequests || q.bytes >= q.maxBytes || q.muted.Load()) {
		q.room.Wait()
	}
	return !q.broken && !q.full
}

// mute leaves the client unheard for some time (KIP-219). What it had sent before, its
// answers, and everybody else go on.
func (q *queue) mute(wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	to := time.Now().Add(wait)
	if !to.After(q.mutedTo) {
		return
	}
	q.mutedTo = to
	q.muted.Store(true)
	if q.unmute != nil {
		q.unmute.Stop()
	}
	q.unmute = time.AfterFunc(wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.mutedTo == to { // else it was muted for longer meanwhile
			q.muted.Store(false)
			q.room.Signal()
		}
	})
}

// waitForVoice returns when the client may be heard; false when nothing may come any more.
func (q *queue) waitForVoice() bool {
	if !q.muted.Load() {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.broken && !q.full && q.muted.Load() {
		q.room.Wait()
	}
	return !q.broken && !q.full
}

// put adds a request at the end. The writer hears of it when its answer is there.
func (q *queue) put(s slot) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.slots = append(q.slots, s)
	q.bytes += s.frame
	s.reply.queue.Store(q)
	q.wakeWriter()
}

// completed says that the answer to one of the requests is there.
func (q *queue) completed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wakeWriter()
}

// wakeWriter is called with mu held. Answers out of turn wake nobody.
func (q *queue) wakeWriter() {
	if len(q.slots) > 0 && q.slots[0].reply.ready.Load() {
		q.turn.Signal()
	}
}

// letNoneIn ends waitForRoom. A request that has been read and is with its handler is
// still put: its answer is not to be lost.
func (q *queue) letNoneIn() { q.end(&q.full) }

// close says that nothing comes any more: the reader has ended.
func (q *queue) close() { q.end(&q.closed) }

// breakOff says that nothing leaves any more.
func (q *queue) breakOff() { q.end(&q.broken) }

// cutOff says that answers that are not there yet are not waited for.
func (q *queue) cutOff() { q.end(&q.cut) }

func (q *queue) end(how *bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	*how = true
	q.room.Signal()
	q.turn.Signal()
}

// first waits until the first request's answer is there, and leaves it in its
// place. ok is false when the queue is closed and empty; the error is errStopped
// after cutOff.
func (q *queue) first() (s slot, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = false
	for {
		switch {
		case len(q.slots) > 0 && q.slots[0].reply.ready.Load():
			q.writing = true
			return q.slots[0], true, nil
		case len(q.slots) > 0 && q.cut:
			return q.slots[0], true, errStopped
		case len(q.slots) == 0 && q.closed:
			return slot{}, false, nil
		}
		q.turn.Wait()
	}
}

// idle reports whether no answer waits or is being written, and whether any may be.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.slots) == 0 && !q.writing && !q.closed && !q.broken
}

// pop removes the first request. It returns the memory that it held and whether
// the next one is ready to be answered.
func (q *queue) pop() (held *share, nextReady bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := q.slots[0]
	n := copy(q.slots, q.slots[1:])
	q.slots[n] = slot{}
	q.slots = q.slots[:n]
	q.bytes -= first.frame
	q.last = time.Now()
	q.room.Signal()
	return first.share, n > 0 && q.slots[0].reply.ready.Load()
}

// rest empties the queue and returns what was in it.
func (q *queue) rest() []slot {
	q.mu.Lock()
	defer q.mu.Unlock()
	rest := q.slots
	q.slots, q.bytes = nil, 0
	if q.unmute != nil {
		q.unmute.Stop()
	}
	return rest
}

// busySince tells whether requests are under way, or else since when none is.
func (q *queue) busySince() (busy bool, idle time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.slots) > 0, q.last
}
