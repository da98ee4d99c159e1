package plog

import (
	"iter"
	"strconv"
)

// segment is one file of a log and its two indexes. Its batches have their
// places from the moment they are appended; the bytes follow with a checkpoint.
type segment struct {
	base int64
	// gen tells rewritten (compacted) files of one base offset apart; 0 is the
	// first and has Kafka's plain name.
	gen uint32
	segmentFill
	// size is how far the file is synced and may be read.
	size uint32
	// created (wall clock, ms) decides with firstTS when it rolls by time, as in
	// Kafka.
	created int64

	// reserved is up to where the file has blocks that were taken ahead; 0 when none were.
	reserved int64

	// What the checkpointer alone keeps: it owns the index files.
	index, times uint32 // bytes in the index files
	aborts       uint32 // bytes in the transaction index
	sinceIndex   uint32
	indexedTS    int64
	// the largest timestamp so far written, and the last offset of its batch
	writtenTS, writtenTSBase int64
	// checked is what is known about the file's bytes; nil while nobody has read or
	// written them (set with mu of the log held).
	checked *checked
	// made: the file exists, durably (changed with mu and filesMu of the log
	// held). sealed: the final time index entry is written.
	made, sealed bool
}

// segmentFill is what appending a batch changes.
type segmentFill struct {
	// end is where the next batch goes.
	end uint32
	// next is the offset after the last batch.
	next int64
	// firstTS is the largest timestamp (ms) of the first batch.
	firstTS int64
	// maxTS is the largest timestamp (ms) and maxTSBase the base offset of the
	// first batch that has it.
	maxTS, maxTSBase int64
}

func newSegment(base, now int64) *segment {
	return &segment{
		base: base, created: now, segmentFill: segmentFill{next: base, firstTS: -1, maxTS: -1, maxTSBase: -1},
		indexedTS: -1, writtenTS: -1, writtenTSBase: -1,
	}
}

// add accounts for a batch at the end of the segment.
func (s *segment) add(base, last, maxTS int64, size uint32) {
	s.end += size
	s.next = last + 1
	if s.firstTS < 0 {
		s.firstTS = maxTS
	}
	if maxTS > s.maxTS {
		s.maxTS, s.maxTSBase = maxTS, base
	}
}

// takeIndex copies what the checkpointer keeps from the segment that it wrote.
func (s *segment) takeIndex(from *segment) {
	s.index, s.times, s.sinceIndex = from.index, from.times, from.sinceIndex
	s.aborts = from.aborts
	s.indexedTS = from.indexedTS
	s.writtenTS, s.writtenTSBase = from.writtenTS, from.writtenTSBase
	s.sealed = from.sealed
}

const (
	logSuffix   = ".log"
	indexSuffix = ".index"
	timeSuffix  = ".timeindex"
	txnSuffix   = ".txnindex"
)

// suffixes are those of all files that a segment may have.
var suffixes = []string{logSuffix, indexSuffix, timeSuffix, txnSuffix}

// sizes are the segment's files, by their suffixes, and their sizes.
func (s *segment) sizes() iter.Seq2[string, uint32] {
	return func(yield func(string, uint32) bool) {
		_ = yield(logSuffix, s.end) && yield(indexSuffix, s.index) && yield(timeSuffix, s.times) && yield(txnSuffix, s.aborts)
	}
}

// file returns the path of the segment's file with the given suffix.
func (s *segment) file(dir, suffix string) string {
	// Called for each large batch, and several times for each log by checkpoints and
	// recoveries: package fmt would show.
	b := make([]byte, 0, len(dir)+32+len(suffix))
	if b = append(b, dir...); dir != "" {
		b = append(b, '/')
	}
	b = append(b, "00000000000000000000"...) // 20 digits, as Kafka has them
	for n, at := s.base, len(b)-1; n > 0; n, at = n/10, at-1 {
		b[at] = byte('0' + n%10)
	}
	if s.gen > 0 {
		b = append(b, '.')
		b = strconv.AppendUint(b, uint64(s.gen), 10)
	}
	return string(append(b, suffix...))
}

// dir returns the log's directory: the topic's name for people, its id for truth.
func (l *Log) dir() string {
	return l.topicDir() + "/" + strconv.Itoa(int(l.id.Partition))
}

func (l *Log) topicDir() string {
	return l.store.logsDir() + "/" + topicDir(l.name, l.id)
}

func topicDir(name string, id ID) string {
	// A name may be 249 bytes long, a directory entry 255: with the id it must be cut.
	if len(name) > 200 {
		name = name[:200]
	}
	return name + "." + id.Topic.String()
}
