package catalog

import (
	"hash/maphash"
	"iter"
	"maps"
)

// shards is how many parts a cowMap has: a change copies one of them.
const shards = 64

var hashSeed = maphash.MakeSeed()

// cowMap is a map of which a copy costs little: the copy shares all shards, and
// the first change of a shard copies that one. A catalogue of 10,000 topics would
// otherwise copy 10,000 entries for each topic that is created.
type cowMap[K comparable, V any] struct {
	parts [shards]map[K]V
	owned [shards]bool // by this copy, so that it may be changed in place
	size  int
}

func newCowMap[K comparable, V any]() *cowMap[K, V] { return &cowMap[K, V]{} }

// clone returns a copy that may be changed; m itself may not be, from now on.
func (m *cowMap[K, V]) clone() *cowMap[K, V] {
	return &cowMap[K, V]{parts: m.parts, size: m.size}
}

func shard[K comparable](k K) int { return int(maphash.Comparable(hashSeed, k) % shards) }

func (m *cowMap[K, V]) get(k K) V { return m.parts[shard(k)][k] }

func (m *cowMap[K, V]) own(i int) map[K]V {
	if !m.owned[i] {
		m.parts[i], m.owned[i] = maps.Clone(m.parts[i]), true
		if m.parts[i] == nil {
			m.parts[i] = map[K]V{}
		}
	}
	return m.parts[i]
}

func (m *cowMap[K, V]) set(k K, v V) {
	p := m.own(shard(k))
	before := len(p)
	p[k] = v
	m.size += len(p) - before
}

func (m *cowMap[K, V]) remove(k K) {
	i := shard(k)
	if _, ok := m.parts[i][k]; ok {
		delete(m.own(i), k)
		m.size--
	}
}

func (m *cowMap[K, V]) values() iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, p := range m.parts {
			for _, v := range p {
				if !yield(v) {
					return
				}
			}
		}
	}
}
