package plog

import (
	"context"
	"errors"
	"hash/maphash"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
)

// keyMap holds the newest offset of each key: an open-addressed table of 24
// bytes an entry, without pointers. A key is its 128-bit hash under two seeds
// of this process, so nobody can make keys that collide.
type keyMap struct {
	seeds [2]maphash.Seed
	slots []keySlot
	used  int
	limit int
}

type keySlot struct {
	hash [2]uint64
	next int64 // offset + 1; 0 = empty
}

const (
	keySlotBytes = 24
	// A fuller table would make look-ups slow.
	keyMapLoad = 0.75
)

// newKeyMap makes a map for up to keys keys within so many bytes, at least one.
func newKeyMap(keys, bytes int64) *keyMap {
	slots := max(2, min(int64(float64(keys)/keyMapLoad)+1, bytes/keySlotBytes))
	return &keyMap{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		slots: make([]keySlot, slots),
		limit: max(1, int(float64(slots)*keyMapLoad)),
	}
}

func (m *keyMap) find(key []byte) (slot *keySlot, hash [2]uint64) {
	hash = [2]uint64{maphash.Bytes(m.seeds[0], key), maphash.Bytes(m.seeds[1], key)}
	for i := hash[0] % uint64(len(m.slots)); ; i = (i + 1) % uint64(len(m.slots)) {
		if s := &m.slots[i]; s.next == 0 || s.hash == hash {
			return s, hash
		}
	}
}

// put notes the key at an offset larger than any before. False when the map is
// full.
func (m *keyMap) put(key []byte, offset int64) bool {
	s, hash := m.find(key)
	if s.next == 0 {
		if m.used == m.limit {
			return false
		}
		m.used++
		s.hash = hash
	}
	s.next = offset + 1
	return true
}

// newest returns the newest offset of the key; -1 when it is not in the map.
func (m *keyMap) newest(key []byte) int64 {
	s, _ := m.find(key)
	if mutant.On("compaction-drops-last") && s.next > 0 {
		return s.next // as if there were a newer one
	}
	return s.next - 1
}

var errKeyMapFull = errors.New("key map is full")

// mapKeys maps the dirty records in order until the end or until the map is
// full. upTo is the first offset that was not mapped.
func (s *Store) mapKeys(ctx context.Context, c cleanable) (keys *keyMap, upTo int64, err error) {
	keys = newKeyMap(c.to-c.from, s.opt.CompactMemory)
	upTo = c.from
	txns, err := c.log.cleanTxns(c.from, c.to)
	if err != nil {
		return nil, 0, err
	}
	for _, seg := range c.segs {
		if seg.next <= c.from {
			continue
		}
		err := s.eachBatch(ctx, c.log, seg, func(b kafka.Batch) error {
			if b.LastOffset() < c.from {
				return nil
			}
			if b.Control() {
				txns.marker(b)
			} else if !txns.data(b) { // what was aborted names no key
				if at, err := mapBatch(keys, b, c.from); err != nil {
					upTo = max(upTo, at)
					return err
				}
			}
			upTo = b.NextOffset()
			return nil
		})
		if errors.Is(err, errKeyMapFull) {
			return keys, upTo, nil
		}
		if err != nil {
			return nil, 0, err
		}
		upTo = seg.next
	}
	return keys, upTo, nil
}

// mapBatch maps the batch's records from an offset on; when the map is full it
// returns the offset that did not fit. A batch that cannot be opened has no
// keys: it will be kept as it is.
func mapBatch(keys *keyMap, b kafka.Batch, from int64) (int64, error) {
	for r, err := range b.Records(openLimit) {
		if err != nil {
			return 0, nil
		}
		if r.Key != nil && r.Offset >= from && !keys.put(r.Key, r.Offset) {
			return r.Offset, errKeyMapFull
		}
	}
	return 0, nil
}
