package wal

import (
	"sync/atomic"

	"github.com/leatdev/leat/internal/sched"
)

// chunkSize is the memory in which groups gather and from which fresh batches
// are read until they are in their segments.
const chunkSize = 1 << 20

// chunk is a piece of memory shared by the groups and the log tails whose
// frames lie in it. It goes back to the pool with its last reference.
type chunk struct {
	buf  []byte
	refs atomic.Int32
	pool *chunkPool
}

func (c *chunk) retain() { c.refs.Add(1) }

func (c *chunk) release() {
	if c.refs.Add(-1) == 0 {
		c.pool.put(c)
	}
}

// chunkPool keeps a few chunks for reuse and counts what is out.
type chunkPool struct {
	mu   sched.Mutex
	free []*chunk
	out  atomic.Int64 // bytes in chunks that are in use
}

// keepFree is how many idle chunks stay with us, until drop: those that a checkpoint
// lets go of at once. To make and clear them anew for the next one costs more than
// all else that is done with them.
const keepFree = 112

func (p *chunkPool) get(atLeast int) *chunk {
	size := max(align(atLeast, blockSize), chunkSize)
	p.out.Add(int64(size))
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 && size == chunkSize {
		c := p.free[n-1]
		p.free = p.free[:n-1]
		c.refs.Store(1)
		return c
	}
	c := &chunk{buf: make([]byte, size), pool: p}
	c.refs.Store(1)
	return c
}

func (p *chunkPool) put(c *chunk) {
	p.out.Add(-int64(len(c.buf)))
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(c.buf) == chunkSize && len(p.free) < keepFree {
		p.free = append(p.free, c)
	}
}

// drop gives the idle chunks to the garbage collector.
func (p *chunkPool) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = nil
}
