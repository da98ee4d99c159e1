package plog

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/leatdev/leat/internal/kafka"
)

// checkpointName is the file that says where every log stands.
const checkpointName = "checkpoint"

const (
	checkpointMagic = 0x4c435031 // "LCP1"
	// checkpointPlain is the version before there were transactions, and of
	// directories that have none; checkpointTxn may have logs with txnState.
	checkpointPlain = 1
	checkpointTxn   = 2
)

// checkpointVersion is the version that the store writes.
func (s *Store) checkpointVersion() uint16 {
	if s.transactions.Load() {
		return checkpointTxn
	}
	return checkpointPlain
}

// checkpointHead is the start of the checkpoint file.
type checkpointHead struct {
	version uint16
	clean   bool // nothing was written after it, until the next start
	salt    uint64
	// cut: groups at or below it are in the segments. last: the highest
	// sequence number given out.
	cut, last Pos
	epoch     int32 // of the start that wrote it
}

// logState is a log as a checkpoint keeps it.
type logState struct {
	id          ID
	name        string
	start, next int64
	lastTS      int64
	cleaned     int64
	fence       string
	epochs      []EpochStart
	segs        []segment
	pids        []pidState
}

type pidState struct {
	id          int64
	epoch       int16
	seen        int64
	recent      []sentBatch
	open        int64
	coordinator int32
}

// snapshot copies the log's state. Called with mu held.
func (l *Log) snapshot() logState {
	st := logState{
		id: l.id, name: l.name, start: l.first, next: l.next, lastTS: l.lastTS, cleaned: l.cleaned,
		epochs: slices.Clone(l.epochs),
	}
	if l.fence != nil {
		st.fence = l.fence.Error()
	}
	for _, s := range l.segs {
		st.segs = append(st.segs, *s)
	}
	for id, p := range l.pids {
		st.pids = append(st.pids, pidState{id, p.epoch, p.seen, slices.Clone(p.recent), p.open, p.coordinator})
	}
	slices.SortFunc(st.pids, func(a, b pidState) int { return cmp.Compare(a.id, b.id) })
	return st
}

// restore makes the log what the state says.
func (l *Log) restore(st *logState) {
	l.first, l.next, l.lastTS, l.cleaned = st.start, st.next, st.lastTS, st.cleaned
	l.epochs = st.epochs
	if st.fence != "" {
		l.fence = errors.New(st.fence)
	}
	for i := range st.segs {
		s := st.segs[i]
		s.size = s.end
		l.segs = append(l.segs, &s)
	}
	for _, p := range st.pids {
		if l.pids == nil {
			l.pids = producers{}
		}
		l.pids[p.id] = &producer{epoch: p.epoch, seen: p.seen, recent: p.recent, open: p.open, coordinator: p.coordinator}
	}
	l.restoreTxns()
}

// Encoding: big endian, fixed widths, lists with a count before them. It is
// described in docs/FORMATS.md; a change needs a new version.

func (st *logState) encode(b []byte) []byte {
	be := binary.BigEndian
	b = append(b, st.id.Topic[:]...)
	b = be.AppendUint32(b, uint32(st.id.Partition))
	b = appendString(b, st.name)
	b = appendInts(b, st.start, st.next, st.lastTS, st.cleaned)
	b = appendString(b, st.fence)
	b = be.AppendUint32(b, uint32(len(st.epochs)))
	for _, e := range st.epochs {
		b = be.AppendUint32(b, uint32(e.Epoch))
		b = appendInts(b, e.Start)
	}
	b = be.AppendUint32(b, uint32(len(st.segs)))
	for i := range st.segs {
		s := &st.segs[i]
		b = appendInts(b, s.base, s.next, s.created, s.firstTS, s.maxTS, s.maxTSBase, s.indexedTS, s.writtenTS, s.writtenTSBase)
		for _, v := range []uint32{s.gen, s.end, s.index, s.times, s.sinceIndex} {
			b = be.AppendUint32(b, v)
		}
		b = append(b, flags(s.made, s.sealed))
	}
	b = be.AppendUint32(b, uint32(len(st.pids)))
	for _, p := range st.pids {
		b = appendInts(b, p.id, p.seen)
		b = be.AppendUint16(b, uint16(p.epoch))
		b = be.AppendUint16(b, uint16(len(p.recent)))
		for _, r := range p.recent {
			b = be.AppendUint32(b, uint32(r.firstSeq))
			b = be.AppendUint32(b, uint32(r.lastSeq))
			b = appendInts(b, r.base, r.last, r.ts)
		}
	}
	return st.encodeTxns(b)
}

func flags(fs ...bool) (b byte) {
	for i, f := range fs {
		if f {
			b |= 1 << i
		}
	}
	return b
}

func appendInts(b []byte, vs ...int64) []byte {
	for _, v := range vs {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// reader reads what the append functions wrote; it remembers the first error.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		if r.err == nil {
			r.err = fmt.Errorf("%d bytes wanted, %d left", n, len(r.b))
		}
		return make([]byte, min(max(n, 0), 64))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) i64() int64  { return int64(binary.BigEndian.Uint64(r.take(8))) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u8() byte    { return r.take(1)[0] }

func (r *reader) ints(ps ...*int64) {
	for _, p := range ps {
		*p = r.i64()
	}
}

func (r *reader) string() string {
	n := int(r.u32())
	if n > len(r.b) {
		r.take(n)
		return ""
	}
	return string(r.take(n))
}

// count reads the length of a list whose members take at least size bytes.
func (r *reader) count(n, size int) int {
	if r.err == nil && n*size > len(r.b) {
		r.err = fmt.Errorf("a list of %d does not fit into %d bytes", n, len(r.b))
	}
	if r.err != nil {
		return 0
	}
	return n
}

func decodeState(r *reader) (*logState, error) {
	st := &logState{}
	copy(st.id.Topic[:], r.take(16))
	st.id.Partition = int32(r.u32())
	st.name = r.string()
	r.ints(&st.start, &st.next, &st.lastTS, &st.cleaned)
	st.fence = r.string()
	for range r.count(int(r.u32()), 12) {
		st.epochs = append(st.epochs, EpochStart{int32(r.u32()), r.i64()})
	}
	for range r.count(int(r.u32()), 93) {
		var s segment
		r.ints(&s.base, &s.next, &s.created, &s.firstTS, &s.maxTS, &s.maxTSBase, &s.indexedTS, &s.writtenTS, &s.writtenTSBase)
		s.gen, s.end, s.index, s.times, s.sinceIndex = r.u32(), r.u32(), r.u32(), r.u32(), r.u32()
		f := r.u8()
		s.made, s.sealed = f&1 != 0, f&2 != 0
		st.segs = append(st.segs, s)
	}
	for range r.count(int(r.u32()), 20) {
		p := pidState{id: r.i64(), seen: r.i64(), epoch: int16(r.u16()), open: -1, coordinator: -1}
		for range r.count(int(r.u16()), 32) {
			p.recent = append(p.recent, sentBatch{firstSeq: int32(r.u32()), lastSeq: int32(r.u32()), base: r.i64(), last: r.i64(), ts: r.i64()})
		}
		st.pids = append(st.pids, p)
	}
	if r.err == nil && len(r.b) > 0 {
		st.decodeTxns(r)
	}
	return st, r.err
}

func encodeCheckpoint(h checkpointHead, sections [][]byte) []byte {
	be := binary.BigEndian
	size := 64
	for _, s := range sections {
		size += len(s) + 4
	}
	b := make([]byte, 0, size)
	b = be.AppendUint32(b, checkpointMagic)
	b = be.AppendUint16(b, max(h.version, checkpointPlain))
	b = append(b, flags(h.clean), 0)
	b = appendInts(b, int64(h.salt), int64(h.cut), int64(h.last))
	b = be.AppendUint32(b, uint32(h.epoch))
	b = be.AppendUint32(b, uint32(len(sections)))
	for _, s := range sections {
		b = be.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return be.AppendUint32(b, kafka.CRC32C(b))
}

// errCheckpoint says that the checkpoint file is not what was written.
var errCheckpoint = errors.New("checkpoint is damaged")

func decodeCheckpoint(b []byte) (h checkpointHead, logs []*logState, err error) {
	if len(b) < 44 {
		return h, nil, fmt.Errorf("%w: %d bytes", errCheckpoint, len(b))
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if kafka.CRC32C(body) != sum {
		return h, nil, fmt.Errorf("%w: it fails its CRC", errCheckpoint)
	}
	r := &reader{b: body}
	if m := r.u32(); m != checkpointMagic {
		return h, nil, fmt.Errorf("%w: no checkpoint (magic %08x)", errCheckpoint, m)
	}
	if h.version = r.u16(); h.version < checkpointPlain || h.version > checkpointTxn {
		return h, nil, fmt.Errorf("checkpoint has format version %d, this program knows %d and %d", h.version, checkpointPlain, checkpointTxn)
	}
	h.clean = r.u8()&1 != 0
	r.u8()
	h.salt, h.cut, h.last = uint64(r.i64()), Pos(r.i64()), Pos(r.i64())
	h.epoch = int32(r.u32())
	for range r.count(int(r.u32()), 4) {
		st, serr := decodeState(&reader{b: r.take(int(r.u32()))})
		if err := errors.Join(r.err, serr); err != nil {
			return h, nil, fmt.Errorf("%w: %w", errCheckpoint, err)
		}
		logs = append(logs, st)
	}
	if r.err != nil || len(r.b) != 0 {
		return h, nil, fmt.Errorf("%w: %d bytes too many: %w", errCheckpoint, len(r.b), r.err)
	}
	return h, logs, nil
}
