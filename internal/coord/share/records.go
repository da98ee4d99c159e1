package share

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Records of __share_group_state in Kafka's encoding (ShareSnapshotKey/Value and
// ShareUpdateKey/Value, version 0, of its share-coordinator). What Leat knows beyond
// Kafka is in one tagged field of a state batch, which Kafka's readers skip.

// Kinds of records, which are the versions of their keys.
const (
	kindSnapshot = 0
	kindUpdate   = 1
)

// Tags: Kafka's own of the value, ours of a state batch.
const (
	tagDone = 0
	tagLeat = 10000
)

// Key names a share-partition.
type Key struct {
	Group     string
	Topic     [16]byte
	Partition int32
}

// Header is what a record of the state has beside the state itself.
type Header struct {
	// SnapshotEpoch counts the snapshots of the share-partition; an update carries
	// that of the snapshot it goes on from. StateEpoch counts how often an
	// administrator has set the start (snapshots only).
	SnapshotEpoch, StateEpoch int32
	LeaderEpoch               int32
	// Created and Written are ms since 1970 (snapshots only).
	Created, Written int64
}

// AppendSnapshotKey encodes the key of a snapshot.
func AppendSnapshotKey(b []byte, k Key) []byte { return appendKey(b, kindSnapshot, k) }

// AppendUpdateKey is AppendSnapshotKey for an update.
func AppendUpdateKey(b []byte, k Key) []byte { return appendKey(b, kindUpdate, k) }

func appendKey(b []byte, kind uint16, k Key) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(b, kind)
	b = be.AppendUint16(b, uint16(len(k.Group)))
	b = append(b, k.Group...)
	b = append(b, k.Topic[:]...)
	return be.AppendUint32(b, uint32(k.Partition))
}

// AppendSnapshot encodes a snapshot's value.
func AppendSnapshot(b []byte, h Header, w *Write) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(b, 0)
	b = be.AppendUint32(b, uint32(h.SnapshotEpoch))
	b = be.AppendUint32(b, uint32(h.StateEpoch))
	b = be.AppendUint32(b, uint32(h.LeaderEpoch))
	b = be.AppendUint64(b, uint64(w.Start))
	b = be.AppendUint64(b, uint64(h.Created))
	b = be.AppendUint64(b, uint64(h.Written))
	return appendBatches(b, w)
}

// AppendUpdate encodes an update's value.
func AppendUpdate(b []byte, h Header, w *Write) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(b, 0)
	b = be.AppendUint32(b, uint32(h.SnapshotEpoch))
	b = be.AppendUint32(b, uint32(h.LeaderEpoch))
	b = be.AppendUint64(b, uint64(w.Start))
	return appendBatches(b, w)
}

// appendBatches ends a value: its state batches, and the tagged field.
func appendBatches(b []byte, w *Write) []byte {
	be := binary.BigEndian
	b = binary.AppendUvarint(b, uint64(len(w.Batches)+1))
	for i := range w.Batches {
		e := &w.Batches[i]
		b = be.AppendUint64(b, uint64(e.First))
		b = be.AppendUint64(b, uint64(e.Last))
		b = append(b, byte(e.State))
		b = be.AppendUint16(b, uint16(e.Acquired))
		if e.Failed == 0 && e.Due == 0 && e.Member == "" {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		b = binary.AppendUvarint(b, tagLeat)
		b = binary.AppendUvarint(b, uint64(2+8+8+len(e.Member)))
		b = be.AppendUint16(b, uint16(e.Failed))
		b = be.AppendUint64(b, uint64(e.Due))
		b = be.AppendUint64(b, uint64(e.Lock))
		b = append(b, e.Member...)
	}
	b = append(b, 1, tagDone, 4)
	return be.AppendUint32(b, uint32(w.Done))
}

// Kind is what a record says.
type Kind int

// The kinds of records: the state as a whole, a change of it, the end of it.
const (
	Unknown Kind = iota
	Snapshot
	Update
	Tombstone
)

// Decode reads a record. Kinds and versions that are not known are Unknown, without
// error. It keeps no reference to the bytes.
func Decode(key, value []byte) (kind Kind, k Key, h Header, w Write, err error) {
	r := &reader{b: key}
	version := r.u16()
	if r.err == nil && version > kindUpdate {
		return Unknown, k, h, w, nil
	}
	n := int(r.u16())
	k.Group = string(r.take(n))
	copy(k.Topic[:], r.take(16))
	k.Partition = int32(r.u32())
	if r.err != nil || len(r.b) > 0 {
		return Unknown, k, h, w, fmt.Errorf("share state: a key that is none: %w", errors.Join(r.err, r.rest()))
	}
	if value == nil {
		return Tombstone, k, h, w, nil
	}
	r = &reader{b: value}
	if v := r.u16(); r.err == nil && v != 0 {
		return Unknown, k, h, w, nil
	}
	kind = Update
	h.SnapshotEpoch = int32(r.u32())
	if version == kindSnapshot {
		kind = Snapshot
		h.StateEpoch = int32(r.u32())
	}
	h.LeaderEpoch = int32(r.u32())
	w.Start = int64(r.u64())
	if kind == Snapshot {
		h.Created, h.Written = int64(r.u64()), int64(r.u64())
	}
	r.batches(&w)
	if err := errors.Join(r.err, r.rest()); err != nil {
		return Unknown, k, h, Write{}, fmt.Errorf("share state of group %q: %w", k.Group, err)
	}
	return kind, k, h, w, nil
}

// leastBatch is the size of the smallest state batch.
const leastBatch = 8 + 8 + 1 + 2 + 1

func (r *reader) batches(w *Write) {
	n := r.uvarint()
	if n == 0 || n-1 > uint64(len(r.b)/leastBatch) {
		r.fail("a list of state batches that does not fit")
		return
	}
	for range n - 1 {
		e := Entry{First: int64(r.u64()), Last: int64(r.u64()), State: State(r.take(1)[0]), Acquired: int16(r.u16())}
		r.tags(func(tag uint64, v []byte) {
			if tag != tagLeat {
				return
			}
			if len(v) < 18 {
				r.fail("a tagged field that is too short")
				return
			}
			e.Failed = int16(binary.BigEndian.Uint16(v))
			e.Due = int64(binary.BigEndian.Uint64(v[2:]))
			e.Lock = int64(binary.BigEndian.Uint64(v[10:]))
			e.Member = string(v[18:])
		})
		switch {
		case r.err != nil:
			return
		case e.First < 0 || e.Last < e.First || e.Last == math.MaxInt64:
			r.fail("a state batch with impossible offsets")
			return
		case e.State == Acquired:
			e.State = Available // no broker writes it; it is not known who would hold it
		case e.State != Available && !e.State.finished():
			r.fail(fmt.Sprintf("an unknown delivery state, %d", e.State))
			return
		}
		w.Batches = append(w.Batches, e)
	}
	r.tags(func(tag uint64, v []byte) {
		if tag == tagDone && len(v) == 4 {
			w.Done = int32(binary.BigEndian.Uint32(v))
		}
	})
}

// reader reads fields; it remembers the first error.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = errors.New(what)
	}
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.fail("it ends before its fields do")
		return make([]byte, min(max(n, 1), 16))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || r.err != nil {
		r.fail("a bad number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// tags reads tagged fields and hands each to fn.
func (r *reader) tags(fn func(tag uint64, v []byte)) {
	n := r.uvarint()
	if n > uint64(len(r.b)/2) {
		r.fail("more tagged fields than there is room for")
	}
	for ; n > 0 && r.err == nil; n-- {
		tag, size := r.uvarint(), r.uvarint()
		if size > uint64(len(r.b)) {
			r.fail("a tagged field that does not fit")
			return
		}
		fn(tag, r.take(int(size)))
	}
}

// rest is an error when anything is left.
func (r *reader) rest() error {
	if r.err == nil && len(r.b) > 0 {
		return fmt.Errorf("%d bytes follow", len(r.b))
	}
	return nil
}
