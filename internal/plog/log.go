package plog

import (
	"fmt"
	"sync/atomic"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/wal"
)

// ID names a log: the topic's id, so that a topic that was deleted and made
// again under the same name is another one, and the partition.
type ID struct {
	Topic     kafka.UUID
	Partition int32
}

func (id ID) String() string { return fmt.Sprintf("%s-%d", id.Topic, id.Partition) }

// Pos is a place in the write-ahead log; 0 means that there is nothing to wait for.
type Pos = wal.Pos

// Log is one partition's log. Its methods may be called from any goroutine.
type Log struct {
	id    ID
	name  string // the topic's name when it was created, for the directory
	store *Store

	hw    atomic.Int64 // the durable end
	start atomic.Int64 // the durable log start
	watch atomic.Pointer[func()]
	// removed says that the deletion is durable.
	removed atomic.Bool

	directs atomic.Int32 // batches on their way straight to a segment
	txns    unstable

	// filesMu is held while files of the log are made; taken after mu.
	filesMu sched.Mutex
	hasDir  bool // the directory is there, and durable

	mu      sched.RWMutex
	cfg     Config
	next    int64 // the log end offset
	first   int64 // the log start offset, maybe not durable yet
	lastPos Pos   // of the newest change
	lastTS  int64 // of the newest LogAppendTime
	segs    []*segment
	tail    []tailBatch
	epochs  []EpochStart
	pids    producers
	aborted []AbortedTxn // that are not in their segments' indexes yet
	cleaned int64        // compaction has been up to here
	gone    bool         // deleted, maybe not durably yet
	fence   error        // why nothing may be read or written; nil when all is well
	dirty   bool         // in store.dirty
	saved   []byte
}

// tailBatch is a batch that is not in its segment yet, or stands there unsynced
// (ref).
type tailBatch struct {
	base, last int64
	maxTS      int64
	epoch      int32
	seg        *segment
	at, size   uint32
	frame      *wal.Frame // its Data is the batch; none for a ref
}

func (t *tailBatch) ref() bool { return t.frame == nil }

// EpochStart says from which offset on a leader epoch wrote.
type EpochStart struct {
	Epoch int32
	Start int64
}

// ID returns the log's identity.
func (l *Log) ID() ID { return l.id }

// Topic returns the topic's name when the log was created.
func (l *Log) Topic() string { return l.name }

// Segments returns how many segments the log has.
func (l *Log) Segments() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.segs)
}

// Start returns the log start offset: the first one that can be read.
func (l *Log) Start() int64 { return l.start.Load() }

// HighWatermark returns the durable end: nothing at or above it may be shown.
func (l *Log) HighWatermark() int64 { return l.hw.Load() }

// End returns the log end offset: the next one to be given out.
func (l *Log) End() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.next
}

// Config returns the log's configuration.
func (l *Log) Config() Config {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.cfg
}

// SetConfig changes the log's configuration; appends after it obey it.
func (l *Log) SetConfig(c Config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cfg = c
}

// Watch sets the one function that is called after the high watermark or the
// log start has moved, and after the log was deleted. It runs on the goroutine that
// has flushed and must not block.
func (l *Log) Watch(fn func()) { l.watch.Store(&fn) }

func (l *Log) changed() {
	if fn := l.watch.Load(); fn != nil {
		(*fn)()
	}
}

// Size returns the bytes of all batches from the first segment on.
func (l *Log) Size() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var n int64
	for _, s := range l.segs {
		n += int64(s.end)
	}
	return n
}

// Fenced returns why the log is neither read nor written, nil when it is. A fence comes
// with the start and goes with a repair while nothing runs: there is nothing to lock.
func (l *Log) Fenced() error { return l.fence }

// EpochEnd answers OffsetForLeaderEpoch (KIP-101, KIP-279) for an epoch that has
// been: the largest one at or below it that wrote here, and the offset at which
// the next one began or, for the newest, the high watermark. An epoch older than
// all of these wrote nothing, and ends where the first of them began.
func (l *Log) EpochEnd(epoch int32) (int32, int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	found := epoch
	for i, e := range l.epochs {
		if e.Epoch > epoch {
			return found, e.Start
		}
		found = l.epochs[i].Epoch
	}
	return found, l.hw.Load()
}

// EpochAt returns the leader epoch that wrote offset; -1 when it is not known.
func (l *Log) EpochAt(offset int64) int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	epoch := int32(-1)
	for _, e := range l.epochs {
		if e.Start > offset {
			break
		}
		epoch = e.Epoch
	}
	return epoch
}

// touch notes that the log's state differs from its checkpoint. Called with mu held.
func (l *Log) touch(p Pos) {
	l.lastPos = max(l.lastPos, p)
	if !l.dirty {
		l.dirty = true
		l.store.addDirty(l)
	}
}
