package plog

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/wal"
)

// Begins lets the batch of an Append op begin its producer's transaction in the log:
// whoever submits it knows that the coordinator has the partition in the transaction,
// durably before this unit or with it (KIP-890). Without it a transactional batch is
// taken only while its transaction is open in the log.
func Begins(op Op) Op {
	op.begins = true
	return op
}

// BeginsAtZero is Begins for a producer of transaction version 2, where a transaction
// has an epoch of its own (KIP-890): in a log that knows no batch of the producer it
// begins with sequence 0. What begins later has something before it that is still on its
// way, and would be refused for good once this is in the log.
func BeginsAtZero(op Op) Op {
	op.begins, op.zero = true, true
	return op
}

// Mark ends a producer's transaction in l, at the time ts (ms): the coordinator's
// decision, to be submitted together with all else that it means. A log that is gone,
// or that knows a newer epoch of the producer, needs no marker: nothing is appended.
func Mark(l *Log, m kafka.Marker, ts int64) Op {
	return Op{kind: wal.KindBatch, log: l, batch: kafka.BuildMarker(m, ts), marker: &m}
}

// EnableTransactions says that transactions are going to be used in this directory:
// checkpoints are of the version that tells of them from now on, which programs from
// before do not take. It is to be durable, by a checkpoint, before the first one.
func (s *Store) EnableTransactions() error {
	if s.transactions.Swap(true) {
		return nil
	}
	err := s.checkpointAlways()
	if err != nil {
		s.transactions.Store(false)
	}
	return err
}

// MaxMarkers is how many markers one unit can hold besides what it tells them of: a
// unit fits into one file of the write-ahead log.
func (s *Store) MaxMarkers() int { return int(s.opt.WALFileSize / 2 / markerBytes) }

// markerBytes is what a marker takes in the write-ahead log, and its transaction's
// part of a decision's record.
const markerBytes = 256

// unstable are the transactions of one log whose end readers may not know yet: open
// ones, and ended ones whose marker is not durable. Its lock is the last to be taken.
type unstable struct {
	mu   sched.Mutex
	txns []unstableTxn // by first offset
}

// unstableTxn is a transaction from its first offset on; marker is the offset of what
// ended it, -1 while it is open.
type unstableTxn struct {
	producer, first, marker int64
	// shown is set when the marker may be seen, in all logs that the same unit ends the
	// transaction in: one for all of them, so that readers see that at one moment. nil
	// while it is open, and for one whose end was found by a start.
	shown *atomic.Bool
}

// begin notes a transaction that begins at an offset: before anything of it can
// become durable.
func (u *unstable) begin(producer, first int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.txns = append(u.txns, unstableTxn{producer: producer, first: first, marker: -1})
}

// end notes the marker of the producer's open transaction, if it has one, and what will
// say that it may be seen.
func (u *unstable) end(producer, marker int64, shown *atomic.Bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.txns {
		if t := &u.txns[i]; t.producer == producer && t.marker < 0 {
			t.marker, t.shown = marker, shown
		}
	}
}

// undo takes back what was noted for a batch or a marker at an offset.
func (u *unstable) undo(offset int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.txns = slices.DeleteFunc(u.txns, func(t unstableTxn) bool { return t.first == offset })
	for i := range u.txns {
		if t := &u.txns[i]; t.marker == offset {
			t.marker, t.shown = -1, nil
		}
	}
}

// settle forgets transactions whose end readers know.
func (u *unstable) settle(hw int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.txns = slices.DeleteFunc(u.txns, func(t unstableTxn) bool { return t.marker >= 0 && t.over(hw) })
	if len(u.txns) == 0 {
		u.txns = nil
	}
}

// first returns the first offset of the earliest open transaction; otherwise when
// there is none.
func (u *unstable) first(otherwise int64) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.txns {
		if u.txns[i].marker < 0 {
			return u.txns[i].first
		}
	}
	return otherwise
}

// below returns the first offset that may be unstable while everything below hw is
// durable; hw when all of that is stable.
func (u *unstable) below(hw int64) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.txns {
		if t := &u.txns[i]; t.marker < 0 || !t.over(hw) && !mutant.On("early-laststable") {
			return min(hw, t.first)
		}
	}
	return hw
}

// over reports whether readers know the end of a transaction that has a marker.
func (t *unstableTxn) over(hw int64) bool {
	return t.marker < hw && (t.shown == nil || t.shown.Load() || mutant.On("ends-one-by-one"))
}

// LastStable returns the last stable offset (KIP-98): every transaction below it has
// ended, durably. It never goes back. What a transaction had below the log start
// does not hold it.
func (l *Log) LastStable() int64 {
	start := l.start.Load()
	return max(l.txns.below(l.hw.Load()), start)
}

// appendTxn notes what a transactional batch at its offset begins or ends. Called with
// mu held, before the batch is queued: once it is durable nobody may take it for
// stable. shown is what says later that a marker may be seen.
func (l *Log) appendTxn(b kafka.Batch, shown *atomic.Bool) {
	if !b.Transactional() {
		return
	}
	switch p := l.pids[b.ProducerID()]; {
	case b.Control():
		l.txns.end(b.ProducerID(), b.BaseOffset(), shown)
	case p == nil || p.open < 0:
		l.txns.begin(b.ProducerID(), b.BaseOffset())
	}
}

// ErrNoTransaction is why a transactional batch is refused (KIP-890): its transaction is
// not open in the log.
var ErrNoTransaction = kerr.InvalidTxnState

// checkTxn decides about a batch of data by its producer's transaction in the log.
func (ps producers) checkTxn(b kafka.Batch, begins bool) error {
	if b.ProducerID() == kafka.NoProducerID {
		return nil
	}
	p := ps[b.ProducerID()]
	open := p != nil && p.open >= 0
	switch {
	case !b.Transactional() && open:
		// A producer's transaction has no other batches in between.
		return ErrNoTransaction
	case !b.Transactional() || begins || open && p.epoch == b.ProducerEpoch():
		return nil
	}
	return ErrNoTransaction
}

// checkProducer decides about an Append by what the log knows of its producer.
func (l *Log) checkProducer(op *Op) (*sentBatch, error) {
	if op.marker != nil {
		return nil, nil
	}
	dup, err := l.pids.check(op.batch)
	if dup != nil {
		return dup, nil
	}
	// Where no transaction is open its coordinator has the first word, as in Kafka.
	if open := l.pids.checkTxn(op.batch, op.begins); open != nil {
		return nil, open
	}
	if p := l.pids[op.batch.ProducerID()]; op.zero && op.batch.BaseSequence() > 0 && (p == nil || len(p.recent) == 0) {
		return nil, kerr.OutOfOrderSequenceNumber
	}
	return nil, err
}

// remember notes what a batch that was appended says about its producer; marker is
// what it says when it ends a transaction. Called with mu held.
func (l *Log) remember(b kafka.Batch, marker *kafka.Marker, pos Pos, now int64) {
	if marker == nil {
		if !b.Control() {
			l.pids.add(b, pos, now)
		}
		return
	}
	if a := l.ended(*marker, b.BaseOffset(), now); a != nil {
		l.aborted = append(l.aborted, *a)
	}
}

// needsMarker reports whether a marker says anything that the log does not know: a
// newer epoch of the producer, or its end, does.
func (ps producers) needsMarker(m kafka.Marker) bool {
	p := ps[m.ProducerID]
	return p == nil || p.epoch <= m.Epoch
}

// ended ends the producer's transaction by a marker at an offset. It returns the aborted
// transaction that the log has to remember; nil for a commit, or when there was none.
// Called with mu held.
func (l *Log) ended(m kafka.Marker, at, now int64) *AbortedTxn {
	p := l.pids.of(m.ProducerID, m.Epoch)
	p.seen = max(p.seen, now)
	p.coordinator = max(p.coordinator, m.CoordinatorEpoch)
	first := p.open
	p.open = -1
	if first < 0 || m.Commit {
		return nil
	}
	return &AbortedTxn{ProducerID: m.ProducerID, First: first, Last: at, Stable: l.txns.first(at + 1)}
}

// ProducerState is what a log knows of a producer (DescribeProducers, KIP-664).
type ProducerState struct {
	ProducerID int64
	Epoch      int16
	// LastSequence is -1 when none is known.
	LastSequence int32
	// LastTimestamp is when it last wrote, ms since 1970.
	LastTimestamp int64
	// CoordinatorEpoch is of the newest marker; -1 when there was none.
	CoordinatorEpoch int32
	// TxnStart is the first offset of the open transaction; -1 when none is open.
	TxnStart int64
}

// Producers returns the producers that the log knows, by their ids.
func (l *Log) Producers() []ProducerState {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make([]ProducerState, 0, len(l.pids))
	for id, p := range l.pids {
		st := ProducerState{ProducerID: id, Epoch: p.epoch, LastSequence: -1, LastTimestamp: p.seen, CoordinatorEpoch: p.coordinator, TxnStart: p.open}
		if n := len(p.recent); n > 0 {
			st.LastSequence = p.recent[n-1].lastSeq
		}
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b ProducerState) int { return cmp.Compare(a.ProducerID, b.ProducerID) })
	return out
}

// Producer is Producers for one id; false when it is not known.
func (l *Log) Producer(id int64) (ProducerState, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	p := l.pids[id]
	if p == nil {
		return ProducerState{}, false
	}
	return ProducerState{ProducerID: id, Epoch: p.epoch, LastTimestamp: p.seen, CoordinatorEpoch: p.coordinator, TxnStart: p.open}, true
}
