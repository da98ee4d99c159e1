package wire

import (
	"sync"
	"time"
)

// slot is one request's place in its connection's order.
type slot struct {
	header
	frame int64 // bytes it holds
	reply *Pending
}

func (s *slot) ready() bool {
	select {
	case <-s.reply.done:
		return true
	default:
		return false
	}
}

// queue is the requests of one connection that are under way: the reader puts
// them in and waits for room, the writer takes them out in order.
type queue struct {
	maxRequests int
	maxBytes    int64

	mu      sync.Mutex
	changed *sync.Cond
	slots   []*slot // slots[0] is answered next
	bytes   int64
	last    time.Time // when the last one left
	closed  bool      // nothing comes any more
	broken  bool      // nothing leaves any more
}

func newQueue(maxRequests int, maxBytes int64) *queue {
	q := &queue{maxRequests: maxRequests, maxBytes: maxBytes, last: time.Now()}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// waitForRoom returns when one more request may come; false when none may ever.
func (q *queue) waitForRoom() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.broken && !q.closed && (len(q.slots) >= q.maxRequests || q.bytes >= q.maxBytes) {
		q.changed.Wait()
	}
	return !q.broken && !q.closed
}

// put adds a request at the end.
func (q *queue) put(s *slot) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.slots = append(q.slots, s)
	q.bytes += s.frame
	q.changed.Broadcast()
}

// close says that nothing comes any more; it also ends waitForRoom.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// breakOff says that nothing leaves any more.
func (q *queue) breakOff() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.broken = true
	q.changed.Broadcast()
}

// first waits for a request and leaves it in its place; nil when the queue is
// closed and empty.
func (q *queue) first() *slot {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.slots) == 0 {
		if q.closed {
			return nil
		}
		q.changed.Wait()
	}
	return q.slots[0]
}

// pop removes the first request. It returns the bytes it held and whether the
// next one is ready to be answered.
func (q *queue) pop() (frame int64, nextReady bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.slots[0]
	q.slots[0] = nil
	q.slots = q.slots[1:]
	q.bytes -= s.frame
	q.last = time.Now()
	q.changed.Broadcast()
	return s.frame, len(q.slots) > 0 && q.slots[0].ready()
}

// rest empties the queue and returns the bytes that were held.
func (q *queue) rest() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	held := q.bytes
	q.slots, q.bytes = nil, 0
	return held
}

// busySince tells whether requests are under way, or else since when none is.
func (q *queue) busySince() (busy bool, idle time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.slots) > 0, q.last
}
