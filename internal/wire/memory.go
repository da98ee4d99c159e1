package wire

import (
	"context"
	"slices"
	"sync"
)

// memory is the budget for the frames of all connections together, in bytes of
// buffers. Frames take from it as they arrive, in the order in which they ask; at
// the limit they wait, and so do the sockets behind them.
//
// Frames that have begun hold memory while they wait for more, and could wait for
// each other for ever. So one of them at a time, the one that has waited longest,
// may go beyond the limit until it is done with: no more is ever taken than the
// limit and the largest frame.
type memory struct {
	limit int64

	mu      sync.Mutex
	used    int64
	waiting []*wanting
	beyond  *share // who may go beyond the limit
}

// share is what one frame has taken of the budget.
type share struct{ held int64 }

// wanting is a frame that waits for n more bytes.
type wanting struct {
	s       *share
	n       int64
	granted chan struct{}
}

// grow takes n bytes more for a frame; it waits while there are none.
func (m *memory) grow(ctx context.Context, s *share, n int64) error {
	m.mu.Lock()
	if s == m.beyond || len(m.waiting) == 0 && m.used+n <= m.limit {
		m.take(s, n)
		m.mu.Unlock()
		return nil
	}
	w := &wanting{s, n, make(chan struct{})}
	m.waiting = append(m.waiting, w)
	m.serve()
	m.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(m.waiting, w); i >= 0 {
		m.waiting = slices.Delete(m.waiting, i, i+1)
		m.serve() // it may have stood before others
	}
	return context.Cause(ctx)
}

// shrink gives back n bytes of a frame that goes on.
func (m *memory) shrink(s *share, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(s, -n)
	m.serve()
}

// release gives back all that a frame holds; nil is a frame that holds nothing.
func (m *memory) release(s *share) {
	if s == nil || s.held == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(s, -s.held)
	if m.beyond == s {
		m.beyond = nil
	}
	m.serve()
}

func (m *memory) take(s *share, n int64) {
	s.held += n
	m.used += n
}

// serve lets those go on for whom there is room. Called with mu held.
func (m *memory) serve() {
	for len(m.waiting) > 0 {
		i := 0
		if w := m.waiting[0]; m.used > 0 && m.used+w.n > m.limit {
			begun := func(w *wanting) bool { return w.s.held > 0 }
			if i = slices.IndexFunc(m.waiting, begun); i < 0 || m.beyond != nil {
				return
			}
			m.beyond = m.waiting[i].s
		}
		w := m.waiting[i]
		m.waiting = slices.Delete(m.waiting, i, i+1)
		m.take(w.s, w.n)
		close(w.granted)
	}
}
