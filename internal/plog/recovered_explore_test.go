package plog

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// found is what a store holds that was opened on a disk.
type found struct {
	logs map[ID]foundLog
	text string // all of it, to compare
}

type foundLog struct {
	start, end int64
	values     map[int64]string
	sent       []sentSeq
}

// is compares what was found with what may be there: "" when it is one of it.
func (f *found) is(allowed []ledger) string {
	var why []string
	for _, l := range allowed {
		w := f.isLedger(l)
		if w == "" {
			return ""
		}
		why = append(why, w)
	}
	return strings.Join(why, "; or ")
}

func (f *found) isLedger(l ledger) string {
	for _, name := range slices.Sorted(maps.Keys(l)) {
		a := l[name]
		got, ok := f.logs[exploreID(name, a.life)]
		switch {
		case !ok:
			return fmt.Sprintf("log %s%d is gone", name, a.life)
		case got.start != a.start || got.end != int64(len(a.values)):
			return fmt.Sprintf("log %s%d has offsets %d to %d, want %d to %d", name, a.life, got.start, got.end, a.start, len(a.values))
		case !slices.Equal(got.sent, a.sent):
			return fmt.Sprintf("log %s%d remembers of its producer %v, want %v", name, a.life, got.sent, a.sent)
		}
		for offset := a.start; offset < got.end; offset++ {
			v, ok := got.values[offset]
			superseded := offset+2 < a.cleaned // the second next has its key, and was looked at, too
			switch {
			case ok && v != a.values[offset]:
				return fmt.Sprintf("log %s%d holds %.20q at %d, want %.20q", name, a.life, v, offset, a.values[offset])
			case !ok && !superseded:
				return fmt.Sprintf("log %s%d holds nothing at %d", name, a.life, offset)
			}
		}
	}
	if len(f.logs) != len(l) {
		return fmt.Sprintf("there are %d logs, want %d", len(f.logs), len(l))
	}
	return ""
}

// disk is a content of the disk that a start of this epoch finds.
type disk struct {
	digest uint64
	epoch  int32
}

// recovered opens a store on the disk, which is its own from then on, and tells
// what is in it. A disk that was met before is not opened again. level counts
// the crashes; every disk that another one during the recovery may leave must
// come to the same. nil when something is wrong, which was told.
func (x *explorer) recovered(mem *vfs.Mem, epoch int32, level int, after []string, window string) *found {
	key := disk{mem.Digest(), epoch}
	if f, ok := x.disks[key]; ok {
		return f
	}
	x.disks[key] = nil // in case something is wrong
	fail := func(format string, args ...any) {
		x.fail(fmt.Sprintf("after %s, crash %s: ", strings.Join(after, ", "), window) + fmt.Sprintf(format, args...))
	}
	// A crash during the recovery.
	var mu sync.Mutex // the checkpointer's goroutine may be tidying up
	type snapshot struct {
		mem    *vfs.Mem
		window string
	}
	var again []snapshot
	met := map[uint64]bool{key.digest: true}
	faulty := vfs.NewFaulty(x.mistake.over(mem))
	faulty.Hook(func(op vfs.Op, name string) {
		if op&vfs.OpChange == 0 || level >= x.levels {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		window := "recovery; before: " + doing(op, name)
		x.saw(window)
		if op&shrinks == 0 {
			return
		}
		for m := range disks(mem, x.full-2, false) {
			x.crashes++
			if d := m.Digest(); !met[d] {
				met[d] = true
				again = append(again, snapshot{m, window})
			}
		}
	})
	s, report, err := Open(exploreOptions(faulty, epoch))
	if err != nil {
		fail("open: %v", err)
		return nil
	}
	s.tidy()
	x.opened++
	f, why := look(s, report)
	var kept *vfs.Mem
	if level == 1 {
		kept = mem.Crash(vfs.KeepNone, 0)
	}
	s.Abandon()
	if why != "" {
		fail("%s", why)
		return nil
	}
	x.disks[key] = f
	// What it serves it must still have after the next loss of power.
	if kept != nil {
		again = append(again, snapshot{kept, "right after the recovery"})
	}
	for _, c := range again {
		switch g := x.recovered(c.mem, epoch+1, level+1, after, window+", and another in the "+c.window); {
		case g == nil:
			return nil
		case g.text != f.text:
			fail("recovered to\n%s\nand after another crash (%s) to\n%s", f.text, c.window, g.text)
			return nil
		}
	}
	return f
}

// look tells what a store holds, and what is wrong with it in itself.
func look(s *Store, r *Report) (*found, string) {
	if len(r.Fenced) > 0 || r.Kept != "" {
		return nil, fmt.Sprintf("a crash alone was taken for damage: %+v", r)
	}
	f := &found{logs: map[ID]foundLog{}}
	var text strings.Builder
	known := map[string]bool{}
	for _, l := range inOrder(s) {
		g := foundLog{start: l.Start(), end: l.HighWatermark(), values: map[int64]string{}}
		if err := readInto(l, g.values); err != nil {
			return nil, err.Error()
		}
		for id, p := range l.pids {
			for _, b := range p.recent {
				g.sent = append(g.sent, sentSeq{b.firstSeq, b.base})
			}
			if id != exploreProducer {
				return nil, fmt.Sprintf("a producer %d that nobody was", id)
			}
		}
		f.logs[l.id] = g
		fmt.Fprintf(&text, "%s %q: %d to %d, producer %v, epochs %v\n", l.id, l.name, g.start, g.end, g.sent, l.epochs)
		for _, offset := range slices.Sorted(maps.Keys(g.values)) {
			fmt.Fprintf(&text, "  %d %.12s (%d)\n", offset, g.values[offset], len(g.values[offset]))
		}
		if why := checkSegments(l, known); why != "" {
			return nil, why
		}
	}
	f.text = text.String()
	return f, unknownFiles(s, known)
}

func inOrder(s *Store) []*Log {
	logs := s.Logs()
	slices.SortFunc(logs, byID)
	return logs
}

// readInto reads all that a consumer can, in small steps.
func readInto(l *Log, out map[int64]string) error {
	for at := l.Start(); at < l.HighWatermark(); {
		buf, err := l.Read(at, 1000, true)
		if err != nil || len(buf) == 0 {
			return fmt.Errorf("%s: read at %d of %d: %d bytes, %v", l.name, at, l.HighWatermark(), len(buf), err)
		}
		for len(buf) > 0 {
			b, rest, err := kafka.NextBatch(buf)
			if err == nil {
				err = b.VerifyCRC()
			}
			if err != nil {
				return fmt.Errorf("%s: read at %d: %w", l.name, at, err)
			}
			for r, err := range b.Records(1 << 20) {
				if err != nil {
					return err
				}
				if string(r.Key) != keyAt(r.Offset) {
					return fmt.Errorf("%s: key %q at %d", l.name, r.Key, r.Offset)
				}
				if r.Offset >= at {
					out[r.Offset] = string(r.Value)
				}
			}
			at, buf = b.NextOffset(), rest
		}
	}
	return nil
}

// checkSegments compares the log's files with what it knows of them, and notes
// which they are.
func checkSegments(l *Log, known map[string]bool) string {
	for i, seg := range l.segs {
		for suffix, size := range map[string]uint32{logSuffix: seg.size, indexSuffix: seg.index, timeSuffix: seg.times} {
			name := seg.file(l.dir(), suffix)
			known[name] = true
			info, err := l.store.opt.FS.Stat(name)
			switch {
			case isNotExist(err) && size == 0:
			case err != nil:
				return fmt.Sprintf("segment %d: %v", seg.base, err)
			case info.Size() != int64(size):
				return fmt.Sprintf("%s has %d bytes, the log knows of %d", name, info.Size(), size)
			}
		}
		if i > 0 && l.segs[i-1].next > seg.base {
			return fmt.Sprintf("segment %d begins below %d, the end of the one before", seg.base, l.segs[i-1].next)
		}
		if i > 0 && !l.segs[i-1].sealed {
			return fmt.Sprintf("segment %d is complete and its time index is not", l.segs[i-1].base)
		}
		if why := checkEntries(l, seg); why != "" {
			return why
		}
	}
	return ""
}

// checkEntries compares a segment's index files with its batches: an entry names
// the last offset of a batch and where that begins.
func checkEntries(l *Log, seg *segment) string {
	whole := map[string][]byte{}
	for suffix, size := range map[string]uint32{logSuffix: seg.size, indexSuffix: seg.index, timeSuffix: seg.times} {
		if size == 0 {
			continue
		}
		b, err := vfs.ReadFile(l.store.opt.FS, seg.file(l.dir(), suffix))
		if err != nil {
			return err.Error()
		}
		whole[suffix] = b
	}
	lastAt, newest := map[uint32]int64{}, int64(-1)
	for at, b := uint32(0), whole[logSuffix]; len(b) > 0; {
		batch, rest, err := kafka.NextBatch(b)
		if err != nil {
			return fmt.Sprintf("byte %d of %s: %v", at, seg.file("", logSuffix), err)
		}
		lastAt[at] = batch.LastOffset()
		if batch.NumRecords() > 0 {
			newest = max(newest, batch.MaxTimestamp())
		}
		at, b = at+uint32(len(batch)), rest
	}
	r := &reader{b: whole[indexSuffix]}
	for len(r.b) > 0 && r.err == nil {
		rel, at := r.u32(), r.u32()
		if last, ok := lastAt[at]; !ok || last != seg.base+int64(rel) {
			return fmt.Sprintf("index of segment %d: offset %d at byte %d, where a batch begins: %v (its last offset is %d)", seg.base, rel, at, ok, last)
		}
	}
	before := int64(-1)
	for ts := (&reader{b: whole[timeSuffix]}); len(ts.b) > 0 && ts.err == nil; {
		at := ts.i64()
		ts.u32()
		if at <= before {
			return fmt.Sprintf("time index of segment %d: %d after %d", seg.base, at, before)
		}
		before = at
	}
	if seg.sealed && before != newest {
		return fmt.Sprintf("complete segment %d: its newest record has %d, its time index ends with %d", seg.base, newest, before)
	}
	return ""
}

// unknownFiles looks for what no log refers to.
func unknownFiles(s *Store, known map[string]bool) string {
	dirs := map[string]bool{}
	for _, l := range inOrder(s) {
		dirs[l.dir()], dirs[l.topicDir()] = true, true
	}
	var walk func(dir string) string
	walk = func(dir string) string {
		names, err := s.opt.FS.List(dir)
		if err != nil {
			return err.Error()
		}
		for _, n := range names {
			full := path.Join(dir, n)
			if dirs[full] {
				if why := walk(full); why != "" {
					return why
				}
			} else if !known[full] {
				return "nobody refers to " + full
			}
		}
		return ""
	}
	return walk(s.logsDir())
}
