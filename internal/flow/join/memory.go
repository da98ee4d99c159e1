package join

import "container/list"

// memory remembers things by id and by key, the newest max of them.
type memory[T any] struct {
	max   int
	order *list.List // of *remembered[T], oldest first
	ids   map[string]*list.Element
	keys  map[string][]*list.Element
}

type remembered[T any] struct {
	id, key string
	value   T
}

func newMemory[T any](max int) *memory[T] {
	return &memory[T]{max: max, order: list.New(), ids: map[string]*list.Element{}, keys: map[string][]*list.Element{}}
}

func (m *memory[T]) len() int { return len(m.ids) }

// put remembers value in the place of what had the id. It returns what had to be
// forgotten for it, if anything.
func (m *memory[T]) put(id, key string, value T) (forgotten T, ok bool) {
	if e, has := m.ids[id]; has {
		e.Value.(*remembered[T]).value = value
		return forgotten, false
	}
	e := m.order.PushBack(&remembered[T]{id, key, value})
	m.ids[id] = e
	m.keys[key] = append(m.keys[key], e)
	if len(m.ids) <= m.max {
		return forgotten, false
	}
	oldest := m.order.Front().Value.(*remembered[T])
	m.remove(oldest.id)
	return oldest.value, true
}

func (m *memory[T]) remove(id string) bool {
	e, ok := m.ids[id]
	if !ok {
		return false
	}
	r := m.order.Remove(e).(*remembered[T])
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
