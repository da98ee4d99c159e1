package wire

import (
	"context"
	"sync"
)

// memory is the budget for frames of all connections together. It is counted in
// bytes that have arrived. At the limit no new frame is begun; frames that were
// begun are read to their end, so that connections cannot wait for each other.
type memory struct {
	limit int64

	mu   sync.Mutex
	used int64
	free chan struct{} // closed when used falls below limit; nil while nobody waits
}

// start waits until a frame may be begun.
func (m *memory) start(ctx context.Context) error {
	for {
		m.mu.Lock()
		if m.used < m.limit {
			m.mu.Unlock()
			return nil
		}
		if m.free == nil {
			m.free = make(chan struct{})
		}
		free := m.free
		m.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// hold takes n bytes; a negative n gives them back.
func (m *memory) hold(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used += n
	if m.used < m.limit && m.free != nil {
		close(m.free)
		m.free = nil
	}
}
