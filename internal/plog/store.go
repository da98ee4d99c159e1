package plog

import (
	"context"
	"errors"
	"log/slog"
	"path"
	"slices"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
	"github.com/leatdev/leat/internal/wal"
)

// Options of a store. FS, Dir, Salt and Epoch must be set.
type Options struct {
	FS vfs.FS
	// Dir is the data directory. The caller holds its lock.
	Dir string
	// Salt is the data directory's own number; it marks what belongs to it.
	Salt uint64
	// Epoch is the leader epoch of this start: larger than that of any before.
	Epoch int32
	// Relaxed leaves out every sync: for tests of things above.
	Relaxed bool
	// WALFileSize and WALFiles bound the write-ahead log; 0 = 32 MiB and 8.
	WALFileSize int64
	WALFiles    int
	// DirectBytes is from which size on a batch goes straight to its segment
	// with only a reference in the write-ahead log; 0 = 128 KiB.
	DirectBytes int
	// DirectFewBytes is from which size on a batch does so while few logs do: 0 =
	// 48 KiB, at most DirectBytes. It is written once instead of twice then, but each
	// such log is one more file to sync in the flush.
	DirectFewBytes int
	// CheckpointBytes and CheckpointEvery say when tails are moved into
	// segments: after so many bytes (more when many logs have changed), or so long
	// after the first of them; 0 = 32 MiB and 30 s.
	CheckpointBytes int64
	CheckpointEvery time.Duration
	// OpenFiles bounds the files kept open without use, and those that a checkpoint
	// keeps open; 0 = 256.
	OpenFiles int
	// SyncTogether is from how many files on a checkpoint syncs the whole file system
	// at once instead of each file, where that can be relied on; 0 = 16, negative =
	// never.
	SyncTogether int
	// RecoveryMemory is about how much of the write-ahead log a start after a crash
	// keeps in memory at a time; 0 = 64 MiB.
	RecoveryMemory int
	// GiveUp is what a start does with a write-ahead log that is damaged below what
	// was durable where nobody can tell which logs were hurt: "" refuses the start,
	// RepairCut gives up everything from the damage on, in all logs, RepairKeep what
	// is damaged; logs that go on behind it with a gap are fenced then.
	GiveUp Repair
	// ProducerExpiry is producer.id.expiration.ms; 0 = one day.
	ProducerExpiry time.Duration
	// DiskReserve is the free space below which data is refused, so that
	// commits, deletes and retention can go on; 0 = 64 MiB, negative = none.
	DiskReserve int64
	// CompactMemory bounds the key table of compaction, 24 bytes a key
	// (log.cleaner.dedupe.buffer.size); 0 = 32 MiB.
	CompactMemory int64
	Now           func() time.Time
	Logger        *slog.Logger
}

func (o *Options) defaults() {
	def := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	def(&o.WALFileSize, 32<<20)
	def(&o.CheckpointBytes, 32<<20)
	def((*int64)(&o.CheckpointEvery), int64(30*time.Second))
	def((*int64)(&o.ProducerExpiry), int64(24*time.Hour))
	def(&o.DiskReserve, 64<<20)
	def(&o.CompactMemory, 32<<20)
	if o.WALFiles == 0 {
		o.WALFiles = 8
	}
	if o.DirectBytes == 0 {
		o.DirectBytes = 128 << 10
	}
	// Whatever must go through the write-ahead log has to fit into one file.
	o.DirectBytes = min(o.DirectBytes, int(o.WALFileSize/4))
	if o.DirectFewBytes == 0 {
		o.DirectFewBytes = 48 << 10
	}
	if o.OpenFiles == 0 {
		o.OpenFiles = 256
	}
	if o.SyncTogether == 0 {
		o.SyncTogether = 16
	}
	if o.RecoveryMemory == 0 {
		o.RecoveryMemory = 64 << 20
	}
	if o.Now == nil {
		o.Now = sched.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Store owns the write-ahead log and the logs of one data directory.
type Store struct {
	opt   Options
	wal   *wal.WAL
	files *openFiles
	fresh freshFiles

	mu     sched.RWMutex
	logs   map[ID]*Log
	dirty  []*Log
	delete []*Log // deleted, directory still there
	trim   []*Log // log start moved, segments below it still there

	// queueing is held for reading while a Submit queues its frames and notes
	// them in the logs. A checkpoint that takes it sees no frame in the
	// write-ahead log that the logs do not know of.
	queueing sched.RWMutex

	full  fullDisk
	check checkpointer
	// transactions says that checkpoints are of the version that tells of them.
	transactions atomic.Bool
	// direct is how many bytes of batches went straight to their segments and are
	// in no checkpoint yet.
	direct atomic.Int64
	// directLogs is how many logs have batches that go straight to their segments in
	// the flushes that are under way or gather.
	directLogs atomic.Int32
	// changed is how many logs the next checkpoint will have to write.
	changed atomic.Int64

	compact compactor
	backup  sched.Mutex // one backup at a time
	noting  sched.Mutex // guards incidents.json
}

// Log returns the log with this id; nil when there is none.
func (s *Store) Log(id ID) *Log {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.logs[id]
}

// Logs returns all logs, ordered by topic id and partition: what is done to the
// disk for each of them is done in the same order each time.
func (s *Store) Logs() []*Log {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*Log, 0, len(s.logs))
	for _, l := range s.logs {
		out = append(out, l)
	}
	slices.SortFunc(out, byID)
	return out
}

// Admit keeps room for n bytes of data in one Submit that follows; it waits
// while the write-ahead log is at its bound. It answers kerr.KafkaStorageError
// when the disk is full or has failed. Producers of data call it before Submit
// and release after it; commits, deletes and the broker's own records do not.
func (s *Store) Admit(ctx context.Context, n int) (release func(), err error) {
	if err := s.roomForData(n); err != nil {
		return nil, storageError(err)
	}
	if n >= s.opt.DirectBytes {
		n = 0 // goes to its segment, not through the write-ahead log
	}
	release, err = s.wal.WaitRoom(ctx, n)
	if err != nil && ctx.Err() == nil {
		err = storageError(err)
	}
	return release, err
}

// patience is how long AwaitReserve waits: Kafka's offsets.commit.timeout.ms.
const patience = 5 * time.Second

// AwaitReserve keeps n bytes for one Submit that follows without Admit: a commit, a
// delete, a record of the broker's own. While such appends outrun a checkpoint it
// waits, 5 s at most; then Submit tells what is the matter. release is called after
// the Submit. Nobody calls it who holds a lock that others need.
func (s *Store) AwaitReserve(n int) (release func()) { return s.wal.WaitReserve(patience, n) }

// WhenDurable calls fn once the change at p is on disk (nil) or cannot get
// there (kerr.KafkaStorageError): at once when that is known, else on the
// goroutine that flushes, where it must not block.
func (s *Store) WhenDurable(p Pos, fn func(error)) { s.wal.WhenDurable(p, clientError(fn)) }

// WhenWritten is WhenDurable for acks=1: the bytes are with the operating system.
func (s *Store) WhenWritten(p Pos, fn func(error)) { s.wal.WhenWritten(p, clientError(fn)) }

func clientError(fn func(error)) func(error) {
	return func(err error) {
		if err != nil {
			err = storageError(err)
		}
		fn(err)
	}
}

// Wait waits until the change at p is on disk, also for who has gathered it, or
// something before it, and has not called Flush yet.
func (s *Store) Wait(ctx context.Context, p Pos) error {
	done := sched.NewEvent()
	var failed error
	s.WhenDurable(p, func(err error) {
		failed = err
		done.Set()
	})
	s.wal.Wake()
	if !done.WaitOr(ctx) {
		return context.Cause(ctx)
	}
	return failed
}

// Err returns why the store only reads any more; nil while it writes.
func (s *Store) Err() error { return s.wal.Err() }

// Memory returns the bytes of log tails held in memory.
func (s *Store) Memory() int64 { return s.wal.Memory() }

// ReleaseIdle gives up memory that is only kept to be used again, when there is
// nothing to do. It may be called at any time.
func (s *Store) ReleaseIdle() { s.wal.ReleaseIdle() }

func (s *Store) logsDir() string { return path.Join(s.opt.Dir, "logs") }

func (s *Store) newLog(id ID, name string, cfg Config) *Log {
	return &Log{id: id, name: name, store: s, cfg: cfg}
}

func (s *Store) addLog(l *Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs[l.id] = l
}

func (s *Store) addDirty(l *Log) {
	s.mu.Lock()
	s.dirty = append(s.dirty, l)
	s.changed.Store(int64(len(s.dirty)))
	s.mu.Unlock()
	s.check.dirty()
}

// removeLater takes a durably deleted log out; the checkpointer removes its
// directory.
func (s *Store) removeLater(l *Log) {
	s.mu.Lock()
	delete(s.logs, l.id)
	l.removed.Store(true)
	s.delete = append(s.delete, l)
	s.mu.Unlock()
	s.check.tidy()
}

// startMoved has the segments below a durable log start unlinked.
func (s *Store) startMoved(l *Log) {
	s.mu.Lock()
	s.trim = append(s.trim, l)
	s.mu.Unlock()
	s.check.tidy()
}

// Close moves everything into segments, marks the stop as clean and closes the
// files. No other call may be under way or follow.
func (s *Store) Close() error {
	s.check.stop()
	var errs []error
	if s.wal.Err() == nil {
		// A start after a clean stop does not look for what nobody refers to; what
		// is to be removed may still have been on its way.
		errs = append(errs, s.checkpoint(false))
		s.tidy()
		if err := s.dropReplaced(); err != nil {
			s.opt.Logger.Warn("cannot remove segments that were compacted", "err", err)
		}
		s.giveBackAll()
		errs = append(errs, s.checkpoint(true))
	}
	errs = append(errs, s.wal.Close())
	s.files.closeAll()
	return errors.Join(errs...)
}

// Abandon stops the store's goroutines and closes its files without writing
// anything more: what a test calls instead of a crash.
func (s *Store) Abandon() {
	s.check.stop()
	s.wal.Close()
	s.files.closeAll()
}
