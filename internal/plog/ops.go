package plog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/wal"
)

// Op is one change of one log, for Submit.
type Op struct {
	kind  wal.Kind
	log   *Log
	batch kafka.Batch
	id    ID
	name  string
	cfg   Config
	start int64
	// marker is what a control batch says; nil for others. begins and zero: see Begins
	// and BeginsAtZero.
	marker       *kafka.Marker
	begins, zero bool
}

// Append adds one checked batch to l. Base offset and leader epoch are set in
// b itself (and the timestamps, where the log has LogAppendTime). A batch with
// a producer id is checked against the producer's sequence.
func Append(l *Log, b kafka.Batch) Op { return Op{kind: wal.KindBatch, log: l, batch: b} }

// Create makes a new, empty log. name is the topic's, for the directory.
func Create(id ID, name string, cfg Config) Op {
	return Op{kind: wal.KindCreate, id: id, name: name, cfg: cfg}
}

// Delete removes l and all it holds.
func Delete(l *Log) Op { return Op{kind: wal.KindDelete, log: l} }

// SetStart moves the log start offset of l forward to offset (DeleteRecords,
// retention); a smaller one than the present changes nothing.
func SetStart(l *Log, offset int64) Op { return Op{kind: wal.KindStart, log: l, start: offset} }

// Result is what an Op came to.
type Result struct {
	// Log is the log created (Create), else the one that changed.
	Log *Log
	// Base and Last are the offsets of the batch.
	Base, Last int64
	// AppendTime is the broker's timestamp (ms) under LogAppendTime, else -1.
	AppendTime int64
	// Duplicate says that the batch was here before: Base and Last are those of
	// the first time.
	Duplicate bool
}

// ErrDeleted says that the log is gone.
var ErrDeleted = errors.New("the log has been deleted")

// Submit carries out ops all or nothing, with regard to crashes too, in the
// order of the calls. It checks, gives out offsets and queues; it does not wait
// for the disk: Wait and WhenDurable do, with the position returned. Errors for
// clients are kerr values; with an error nothing has happened.
func (s *Store) Submit(ops ...Op) ([]Result, Pos, error) { return s.submit(ops, s.wal.Enqueue) }

// Gather is Submit for who calls Flush afterwards, whatever happens in between, and
// whatever Gather returns. Until then the change may wait in memory.
func (s *Store) Gather(ops ...Op) ([]Result, Pos, error) { return s.submit(ops, s.wal.Gather) }

// Flush brings what has gathered to the disk on the caller's goroutine, unless a flush
// is under way: then the next one takes it along. What waits for it (WhenDurable) is
// called on the caller's goroutine too, so it holds no locks.
func (s *Store) Flush() { s.wal.Flush() }

type enqueue func([]*wal.Frame, []wal.Syncer, func(error)) (Pos, error)

func (s *Store) submit(ops []Op, enqueue enqueue) ([]Result, Pos, error) {
	u := &unit{store: s}
	u.parts = u.one.parts[:0]
	logs := lockOrder(ops, u.one.logs[:0])
	for _, l := range logs {
		l.mu.Lock()
	}
	defer func() {
		for _, l := range logs {
			l.mu.Unlock()
		}
	}()
	results, frames := u.one.results[:], u.one.frames[:0]
	if len(ops) != 1 {
		results, frames = make([]Result, len(ops)), make([]*wal.Frame, 0, len(ops))
	}
	u.now = s.opt.Now().UnixMilli()
	for i := range ops {
		f, err := u.prepare(&ops[i], &results[i])
		if err != nil {
			u.undo()
			return nil, 0, err
		}
		if f != nil {
			frames = append(frames, f)
		}
	}
	if len(frames) == 0 { // nothing but duplicates
		return results, u.wait, nil
	}
	s.queueing.RLock()
	pos, err := enqueue(frames, u.before, u.done)
	if err != nil {
		s.queueing.RUnlock()
		u.undo()
		return nil, 0, storageError(err)
	}
	u.commit(pos)
	s.queueing.RUnlock()
	if s.wal.Live() >= s.checkpointAt() || s.direct.Load() >= directPerCheckpoint*s.opt.CheckpointBytes {
		s.check.now()
	}
	return results, max(pos, u.wait), nil
}

// checkpointAt is how much the write-ahead log holds when a checkpoint is due.
func (s *Store) checkpointAt() int64 {
	return checkpointDue(s.opt.CheckpointBytes, s.changed.Load(), s.opt.WALFileSize*int64(s.opt.WALFiles), s.wal.MaxMemory())
}

// checkpointDue is how much the write-ahead log, which is bounded, holds when a
// checkpoint is due: bytes, or more of it when many logs have changed, since a checkpoint
// pays for each of them; but then never more than half of the bound, and in no case so
// much that appends beside the checkpoint would have to wait for memory.
func checkpointDue(bytes, changed, bound, memory int64) int64 {
	memory = memory / 4 * 3
	return max(min(bytes, memory), min(changed*perChangedLog, bound/2, memory))
}

// perChangedLog is how many bytes a checkpoint should have to write for each log.
const perChangedLog = 96 << 10

// directPerCheckpoint bounds the bytes that went straight to segments since the last
// checkpoint, in CheckpointBytes: the write-ahead log hardly grows by them, but a
// start after a crash has to write them anew.
const directPerCheckpoint = 8

// lockOrder appends to logs those that ops touch, each once, in the one order in
// which they are ever locked together.
func lockOrder(ops []Op, logs []*Log) []*Log {
	for i := range ops {
		if ops[i].log != nil {
			logs = append(logs, ops[i].log)
		}
	}
	if len(logs) > 1 {
		slices.SortFunc(logs, byID)
		logs = slices.Compact(logs)
	}
	return logs
}

func byID(a, b *Log) int {
	return cmp.Or(slices.Compare(a.id.Topic[:], b.id.Topic[:]), cmp.Compare(a.id.Partition, b.id.Partition))
}

// unit is a Submit on its way: what was changed in memory, to be completed or
// taken back.
type unit struct {
	store  *Store
	now    int64
	wait   Pos
	before []wal.Syncer
	parts  []part
	// ended is set when the transactions that the unit ends may be seen to have ended;
	// nil where it ends none.
	ended *atomic.Bool
	// one is the memory for a Submit of one op, as nearly all are.
	one struct {
		logs    [1]*Log
		frames  [1]*wal.Frame
		results [1]Result
		parts   [1]part
	}
}

// part is one prepared op.
type part struct {
	op    *Op
	log   *Log
	frame *wal.Frame
	end   int64 // log end after it
	start int64 // log start after it
	prior priorState
	// direct is the segment's file when the batch went straight there.
	direct *directFile
}

// priorState is what undo puts back.
type priorState struct {
	next, first, lastTS int64
	segs                int
	fill                segmentFill // of the last one
}

func (u *unit) prepare(op *Op, r *Result) (*wal.Frame, error) {
	if op.kind == wal.KindCreate {
		l := u.store.newLog(op.id, op.name, op.cfg)
		f := &wal.Frame{Kind: wal.KindCreate, Topic: op.id.Topic, Partition: op.id.Partition, Data: []byte(op.name)}
		f.CRC = kafka.CRC32C(f.Data)
		r.Log = l
		u.parts = append(u.parts, part{op: op, log: l, frame: f})
		return f, nil
	}
	l := op.log
	r.Log = l
	switch {
	case op.marker != nil && (l.gone || !l.pids.needsMarker(*op.marker)):
		return nil, nil
	case l.gone:
		return nil, ErrDeleted
	case l.fence != nil && op.kind != wal.KindDelete:
		return nil, fmt.Errorf("%w: %s is fenced: %w", kerr.KafkaStorageError, l.id, l.fence)
	}
	p := part{op: op, log: l, prior: l.state()}
	p.frame = &wal.Frame{Kind: op.kind, Topic: l.id.Topic, Partition: l.id.Partition}
	switch op.kind {
	case wal.KindBatch:
		dup, err := l.checkProducer(op)
		if err != nil {
			return nil, err
		}
		if dup != nil {
			*r = Result{Log: l, Base: dup.base, Last: dup.last, AppendTime: l.appendTimeOf(dup), Duplicate: true}
			if !mutant.On("early-duplicate") {
				u.wait = max(u.wait, dup.pos)
			}
			return nil, nil
		}
		if err := u.append(&p, r); err != nil {
			return nil, err
		}
	case wal.KindStart:
		// Also when it does not move: whoever asks again must not be told
		// sooner than the first that it is durable.
		l.first = max(l.first, min(op.start, l.next))
		p.frame.Offset = l.first
	case wal.KindDelete:
	}
	p.end, p.start = l.next, l.first
	u.parts = append(u.parts, p)
	return p.frame, nil
}

func (l *Log) appendTimeOf(b *sentBatch) int64 {
	if l.cfg.LogAppendTime {
		return b.ts
	}
	return -1
}

func (l *Log) state() priorState {
	s := priorState{next: l.next, first: l.first, lastTS: l.lastTS, segs: len(l.segs)}
	if s.segs > 0 {
		s.fill = l.segs[s.segs-1].segmentFill
	}
	return s
}

// append gives the batch its offsets and its place.
func (u *unit) append(p *part, r *Result) error {
	l, b := p.log, p.op.batch
	b.SetBaseOffset(l.next)
	b.SetLeaderEpoch(u.store.opt.Epoch)
	r.AppendTime = -1
	if l.cfg.LogAppendTime {
		l.lastTS = max(l.lastTS, u.now) // never backwards, whatever the clock does
		b.SetLogAppendTime(l.lastTS)
		r.AppendTime = l.lastTS
	}
	r.Base, r.Last = b.BaseOffset(), b.LastOffset()
	seg := l.segmentFor(b, u.now)
	f := p.frame
	f.Epoch, f.Offset, f.CRC = b.LeaderEpoch(), b.BaseOffset(), b.CRC()
	f.SegBase, f.SegPos = seg.base, seg.end
	if u.store.goesDirect(l, len(b)) {
		file, err := u.store.writeDirect(l, seg, b)
		if err != nil {
			u.undoPart(p)
			return storageError(err)
		}
		f.Kind, f.RefLen = wal.KindRef, uint32(len(b))
		p.direct = file
		u.before = append(u.before, *file)
	} else {
		f.Data = b
	}
	seg.add(b.BaseOffset(), b.LastOffset(), b.MaxTimestamp(), uint32(len(b)))
	l.next = b.NextOffset()
	if p.op.marker != nil && u.ended == nil {
		u.ended = new(atomic.Bool)
	}
	l.appendTxn(b, u.ended)
	return nil
}

// commit completes in memory what Enqueue has accepted.
func (u *unit) commit(pos Pos) {
	for i := range u.parts {
		p := &u.parts[i]
		l := p.log
		switch p.op.kind {
		case wal.KindBatch:
			l.appended(p.op.batch, p.op.marker, p.frame, pos, u.now)
			if p.direct != nil {
				u.store.direct.Add(int64(p.frame.RefLen))
			}
			if mutant.On("early-highwatermark") {
				raise(&l.hw, p.end)
			}
		case wal.KindStart:
			if mutant.On("early-unlink") {
				raise(&l.start, p.start)
				u.store.startMoved(l)
			}
		case wal.KindCreate:
			l.mu.Lock() // from here on others can find it
			u.store.addLog(l)
			l.touch(pos)
			l.mu.Unlock()
			continue
		case wal.KindDelete:
			l.gone = true
		}
		l.touch(pos)
	}
}

// appended puts a batch that has its offsets and its place into the tail; marker is
// what it says when it ends a transaction, else nil.
func (l *Log) appended(b kafka.Batch, marker *kafka.Marker, f *wal.Frame, pos Pos, now int64) {
	t := tailBatch{
		base: b.BaseOffset(), last: b.LastOffset(), maxTS: b.MaxTimestamp(), epoch: b.LeaderEpoch(),
		seg: l.segmentAt(f.SegBase), at: f.SegPos, size: uint32(len(b)),
	}
	if f.Kind == wal.KindBatch {
		t.frame = f
	}
	l.tail = append(l.tail, t)
	if n := len(l.epochs); n == 0 || l.epochs[n-1].Epoch < b.LeaderEpoch() {
		l.epochs = append(l.epochs, EpochStart{b.LeaderEpoch(), b.BaseOffset()})
	}
	l.remember(b, marker, pos, now)
}

// undo takes back what prepare did, newest first.
func (u *unit) undo() {
	for i := len(u.parts) - 1; i >= 0; i-- {
		if p := &u.parts[i]; p.op.kind != wal.KindCreate {
			u.undoPart(p)
		}
	}
}

func (u *unit) undoPart(p *part) {
	l := p.log
	if p.direct != nil {
		p.direct.takeBack(p.frame.SegPos)
	}
	if p.op.kind == wal.KindBatch && p.op.batch.Transactional() {
		l.txns.undo(p.prior.next)
	}
	l.next, l.first, l.lastTS = p.prior.next, p.prior.first, p.prior.lastTS
	for _, seg := range l.segs[p.prior.segs:] {
		if seg.made {
			l.store.takeBackSegment(l, seg)
		}
	}
	l.segs = l.segs[:p.prior.segs]
	if p.prior.segs > 0 {
		l.segs[p.prior.segs-1].segmentFill = p.prior.fill
	}
}

// done runs where the unit was flushed when it is durable: now it may be seen.
func (u *unit) done(err error) {
	if err != nil && !mutant.On("highwatermark-after-failure") {
		return // the high watermark stays where it is
	}
	if u.ended != nil { // at one moment in all logs
		for i := range u.parts {
			raise(&u.parts[i].log.hw, u.parts[i].end)
			if mutant.On("ends-one-by-one") {
				for range 20 { // readers come in between
					sched.Yield()
				}
			}
		}
		u.ended.Store(true)
	}
	for i := range u.parts {
		p := &u.parts[i]
		switch p.op.kind {
		case wal.KindBatch:
			raise(&p.log.hw, p.end)
			if p.op.marker != nil {
				p.log.txns.settle(p.log.hw.Load())
			}
		case wal.KindStart:
			raise(&p.log.start, p.start)
			u.store.startMoved(p.log)
		case wal.KindDelete:
			u.store.removeLater(p.log)
		}
		p.log.changed()
	}
}

// storageError turns a failure of the disk into what a client is told.
func storageError(err error) error {
	return fmt.Errorf("%w: %w", kerr.KafkaStorageError, err)
}
