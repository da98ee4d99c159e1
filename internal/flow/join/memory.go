package join

import "container/list"

// memory remembers things by id and by key: the newest max of them, and of those
// as many as have maxBytes together, but one.
type memory[T any] struct {
	max      int
	maxBytes int         // 0: things have no size
	size     func(T) int // nil without maxBytes
	bytes    int
	order    *list.List // of *remembered[T], oldest first
	ids      map[string]*list.Element
	keys     map[string][]*list.Element
}

type remembered[T any] struct {
	id, key string
	value   T
	bytes   int
}

func newMemory[T any](max int) *memory[T] {
	return &memory[T]{max: max, order: list.New(), ids: map[string]*list.Element{}, keys: map[string][]*list.Element{}}
}

// newSizedMemory bounds the bytes, too.
func newSizedMemory[T any](max, maxBytes int, size func(T) int) *memory[T] {
	m := newMemory[T](max)
	m.maxBytes, m.size = maxBytes, size
	return m
}

func (m *memory[T]) len() int { return len(m.ids) }

// put remembers value as the newest, in the place of what had the id. It returns what had to be
// forgotten for it, oldest first.
func (m *memory[T]) put(id, key string, value T) (forgotten []T) {
	size := 0
	if m.maxBytes > 0 {
		size = m.size(value)
	}
	if e, has := m.ids[id]; has {
		r := e.Value.(*remembered[T])
		m.bytes += size - r.bytes
		r.value, r.bytes = value, size
		m.order.MoveToBack(e)
	} else {
		e := m.order.PushBack(&remembered[T]{id, key, value, size})
		m.bytes += size
		m.ids[id] = e
		m.keys[key] = append(m.keys[key], e)
	}
	for len(m.ids) > m.max || m.maxBytes > 0 && m.bytes > m.maxBytes && len(m.ids) > 1 {
		oldest := m.order.Front().Value.(*remembered[T])
		m.remove(oldest.id)
		forgotten = append(forgotten, oldest.value)
	}
	return forgotten
}

func (m *memory[T]) remove(id string) bool {
	e, ok := m.ids[id]
	if !ok {
		return false
	}
	r := m.order.Remove(e).(*remembered[T])
	m.bytes -= r.bytes
	delete(m.ids, id)
	kept := m.keys[r.key][:0]
	for _, o := range m.keys[r.key] {
		if o != e {
			kept = append(kept, o)
		}
	}
	if len(kept) == 0 {
		delete(m.keys, r.key)
	} else {
		m.keys[r.key] = kept
	}
	return true
}

func (m *memory[T]) has(key string) bool { return len(m.keys[key]) > 0 }

// of returns what is remembered of a key, oldest first.
func (m *memory[T]) of(key string) []T {
	var out []T
	for _, e := range m.keys[key] {
		out = append(out, e.Value.(*remembered[T]).value)
	}
	return out
}
