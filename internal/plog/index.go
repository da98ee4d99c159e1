package plog

import (
	"encoding/binary"
	"io"
	"sort"
)

// Kafka's index formats: 8 bytes (relative offset, position) and 12 bytes
// (timestamp, relative offset), big endian, ascending.
const (
	indexEntry = 8
	timeEntry  = 12
)

// indexWriter makes the index entries for batches that a checkpoint writes, as
// Kafka's LogSegment.append does: one after every index.interval.bytes of log.
type indexWriter struct {
	interval       uint32
	seg            *segment
	offsets, times []byte

	// running maximum of what is before the entry
	maxTS, maxBase int64
	since          uint32
	indexedTS      int64
}

func newIndexWriter(interval int, seg *segment) *indexWriter {
	return &indexWriter{
		interval: uint32(interval), seg: seg, maxTS: seg.writtenTS, maxBase: seg.writtenTSBase,
		since: seg.sinceIndex, indexedTS: seg.indexedTS,
	}
}

func (w *indexWriter) add(t *tailBatch) {
	if t.maxTS > w.maxTS {
		w.maxTS, w.maxBase = t.maxTS, t.last
	}
	if w.since > w.interval {
		w.offsets = binary.BigEndian.AppendUint32(w.offsets, uint32(t.last-w.seg.base))
		w.offsets = binary.BigEndian.AppendUint32(w.offsets, t.at)
		w.timeEntry()
		w.since = 0
	}
	w.since += t.size
}

// timeEntry adds the running maximum, when it has moved: entries ascend.
func (w *indexWriter) timeEntry() {
	if w.maxTS <= w.indexedTS {
		return
	}
	w.times = binary.BigEndian.AppendUint64(w.times, uint64(w.maxTS))
	w.times = binary.BigEndian.AppendUint32(w.times, uint32(w.maxBase-w.seg.base))
	w.indexedTS = w.maxTS
}

// write appends the entries to the index files and, when that went well, moves
// the segment's marks.
func (w *indexWriter) write(s *Store, l *Log, sync *syncSet) error {
	if err := s.appendIndex(l, w.seg, indexSuffix, w.offsets, w.seg.index, sync); err != nil {
		return err
	}
	if err := s.appendIndex(l, w.seg, timeSuffix, w.times, w.seg.times, sync); err != nil {
		return err
	}
	seg := w.seg
	seg.index += uint32(len(w.offsets))
	seg.times += uint32(len(w.times))
	seg.sinceIndex, seg.indexedTS = w.since, w.indexedTS
	seg.writtenTS, seg.writtenTSBase = w.maxTS, w.maxBase
	return nil
}

func (s *Store) appendIndex(l *Log, seg *segment, suffix string, entries []byte, at uint32, sync *syncSet) error {
	if len(entries) == 0 {
		return nil
	}
	name := seg.file(l.dir(), suffix)
	opener := s.opt.FS.Open
	if at == 0 {
		opener = s.opt.FS.Create
		s.files.forget(name) // an earlier try that did not get to its checkpoint
	}
	f, err := s.files.open(name, opener)
	if err != nil {
		return err
	}
	sync.add(f)
	if at == 0 {
		sync.dirs[l.dir()] = true
	}
	_, err = f.WriteAt(entries, int64(at))
	return err
}

// searchIndex returns the last entry at or below rel: the position of a batch and
// the relative offset of its last record; zero when there is none.
func searchIndex(f io.ReaderAt, size uint32, rel uint32) (place, error) {
	var e [indexEntry]byte
	var err error
	read := func(i int) (p place) {
		if _, rerr := f.ReadAt(e[:], int64(i)*indexEntry); rerr != nil {
			err = rerr
		}
		return place{rel: binary.BigEndian.Uint32(e[:]), pos: binary.BigEndian.Uint32(e[4:])}
	}
	n := int(size / indexEntry)
	i := sort.Search(n, func(i int) bool { return read(i).rel > rel })
	if i == 0 || err != nil {
		return place{}, err
	}
	return read(i - 1), err
}

// searchTimes returns the relative offset of the last entry whose timestamp is
// below ts: every earlier batch is too old; 0 when there is none.
func searchTimes(f io.ReaderAt, size uint32, ts int64) (uint32, error) {
	var e [timeEntry]byte
	var err error
	read := func(i int) (at int64, rel uint32) {
		if _, rerr := f.ReadAt(e[:], int64(i)*timeEntry); rerr != nil {
			err = rerr
		}
		return int64(binary.BigEndian.Uint64(e[:])), binary.BigEndian.Uint32(e[8:])
	}
	n := int(size / timeEntry)
	i := sort.Search(n, func(i int) bool { at, _ := read(i); return at >= ts })
	if i == 0 || err != nil {
		return 0, err
	}
	_, rel := read(i - 1)
	return rel, err
}
