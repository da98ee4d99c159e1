package wal

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// Group is one group that Scan found whole.
type Group struct {
	Seq    Pos
	Frames []Frame
}

// Damage is a group that was durable and is no longer what was written.
type Damage struct {
	Seq Pos
	// Frames are those of its frames whose headers can be believed and whose
	// data cannot, without that data: the logs that are hurt. Nil when the frames
	// could not even be told apart: then any log may be.
	Frames []Frame
	Err    error
}

// Result is what Scan found. The groups themselves are still in their files:
// Each reads them.
type Result struct {
	// Damaged groups lie at or below the durable mark: they must not be cut silently.
	Damaged []Damage
	// Torn is how many bytes of groups were cut as a torn tail: written, never
	// known to be durable.
	Torn int64
	// Last is the highest sequence number seen anywhere: new groups start above.
	Last Pos
	// Piece is how many bytes Each reads at once where groups lie side by side.
	Piece int

	fs    vfs.FS
	files []string
	// groups follow each other without a gap, up to the torn tail. A damaged
	// group stands among them: some of its frames may be whole.
	groups []found
	torn   []found
}

// found is a group header at a place, and what became of its group.
type found struct {
	seq    Pos
	off    int64
	length uint32 // header and frames
	frames uint32
	sum    uint32
	file   int32
	// ends says that it deletes logs or moves log starts.
	ends bool
	// damage says why the group is not whole; nil when it is.
	damage *Damage
}

// Scan reads the files in dir, one piece after the other, checks every group, and
// finds those above after. It changes nothing. A missing directory is an empty log.
func Scan(fsys vfs.FS, dir string, salt uint64, after Pos) (*Result, error) {
	res := &Result{Last: after, Piece: 1 << 20, fs: fsys}
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return res, nil
	}
	if err != nil {
		return nil, err
	}
	var bytes int64
	for _, name := range names {
		if !strings.HasSuffix(name, fileSuffix) {
			continue
		}
		name = path.Join(dir, name)
		info, err := fsys.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("write-ahead log %s: %w", name, err)
		}
		bytes += info.Size()
		res.files = append(res.files, name)
	}
	scs, err := scanFiles(res, salt, after, bytes)
	if err != nil {
		return nil, err
	}
	res.collect(scs, after)
	return res, nil
}

// scanFiles scans all files, several at the same time when there is much in them: how
// fast one core reads and sums is what a start after a crash waits for.
func scanFiles(res *Result, salt uint64, after Pos, bytes int64) ([]*scanner, error) {
	scs := make([]*scanner, min(scansAtOnce, len(res.files)))
	if bytes < scanTogether {
		scs = scs[:min(1, len(scs))]
	}
	errs := make([]error, len(scs))
	var next atomic.Int64
	var done sched.WaitGroup
	for i := range scs {
		sc := &scanner{fs: res.fs, salt: salt, after: after, mark: after, last: after}
		scs[i] = sc
		scan := func() {
			for file := next.Add(1) - 1; file < int64(len(res.files)); file = next.Add(1) - 1 {
				if err := sc.scanFile(res.files[file], int32(file)); err != nil {
					errs[i] = fmt.Errorf("write-ahead log %s: %w", res.files[file], err)
					return
				}
			}
		}
		if len(scs) == 1 {
			scan()
		} else {
			done.Go(scan)
		}
	}
	done.Wait()
	return scs, errors.Join(errs...)
}

const (
	scansAtOnce  = 4
	scanTogether = 8 << 20 // bytes of files, from which on that pays
)

// scanner goes through files once.
type scanner struct {
	fs    vfs.FS
	salt  uint64
	after Pos

	window window
	all    []found
	mark   Pos // the highest durable mark of any group
	last   Pos // the highest number of any group
}

func (sc *scanner) scanFile(name string, file int32) error {
	f, err := sc.fs.OpenRead(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return sc.headers(f, file)
}

// headers finds the group headers of a file: from group to group by their
// lengths, from block to block where that chain is broken.
func (sc *scanner) headers(f vfs.File, file int32) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	sc.window.open(f, size)
	for off := int64(0); off+groupHeaderSize <= size; {
		p, err := sc.window.at(off, groupHeaderSize)
		if err != nil {
			return err
		}
		if binary.BigEndian.Uint32(p) != groupMagic {
			off += blockSize
			continue
		}
		h, err := parseGroupHeader(p, sc.salt)
		if err != nil {
			off += blockSize
			continue
		}
		g := found{seq: h.seq, off: off, length: h.length, frames: h.frames, sum: h.sum, file: file}
		if g.damage, err = sc.check(&g, size); err != nil {
			return err
		}
		sc.last, sc.mark = max(sc.last, h.seq), max(sc.mark, h.durable)
		if h.seq > sc.after {
			sc.all = append(sc.all, g)
		}
		if g.damage != nil {
			// The rest of a bad group may be newer groups of an earlier round.
			off += blockSize
			continue
		}
		off += int64(align(int(h.length), blockSize))
	}
	return nil
}

// check reads the whole group and says what is wrong with it; nil when nothing is.
func (sc *scanner) check(g *found, size int64) (*Damage, error) {
	if g.off+int64(g.length) > size {
		return &Damage{Seq: g.seq, Err: fmt.Errorf("%w: group %d runs out of its file", errGroup, g.seq)}, nil
	}
	body, err := sc.window.at(g.off, int(g.length))
	if err != nil {
		return nil, err
	}
	bad, err := checkGroup(g, body)
	if err == nil {
		return nil, nil
	}
	return &Damage{Seq: g.seq, Frames: bad, Err: err}, nil
}

// collect walks the groups of all scanners in order and tells whole, damaged and torn
// apart.
func (res *Result) collect(scs []*scanner, after Pos) {
	var all []found
	mark := after
	for _, sc := range scs {
		all = append(all, sc.all...)
		res.Last, mark = max(res.Last, sc.last), max(mark, sc.mark)
	}
	slices.SortFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.file, b.file), cmp.Compare(a.off, b.off))
	})
	res.groups = all[:0] // never further than what is looked at
	next := after + 1
	for i := 0; i < len(all); i++ {
		// More than one of a number: the group and copies of it in records' data,
		// met in the rest of a group that is not whole. One that is whole is as
		// good as the other.
		f := all[i]
		for ; i+1 < len(all) && all[i+1].seq == f.seq; i++ {
			if f.damage != nil {
				f = all[i+1]
			}
		}
		// Groups that are not there at all but were durable.
		next = res.missing(next, min(f.seq-1, mark))
		switch {
		case f.seq != next:
			res.tear(f, all[i+1:])
			return
		case f.damage == nil:
		case f.seq <= mark:
			res.Damaged = append(res.Damaged, *f.damage)
		default:
			res.tear(f, all[i+1:])
			return
		}
		res.groups = append(res.groups, f)
		next++
	}
	res.missing(next, mark)
}

// missing notes that the groups from..to, if any, are not there, and returns
// the next one.
func (res *Result) missing(from, to Pos) Pos {
	if from > to {
		return from
	}
	res.Damaged = append(res.Damaged, Damage{Seq: from, Err: fmt.Errorf("groups %d to %d are missing", from, to)})
	return to + 1
}

func (res *Result) tear(first found, rest []found) {
	res.torn = append([]found{first}, rest...)
	for _, f := range res.torn {
		res.Torn += int64(f.length)
	}
}

// Len is how many groups there are for Each.
func (res *Result) Len() int { return len(res.groups) }

// EachEnding is Each for those groups alone that delete a log or move a log start.
func (res *Result) EachEnding(buffer func(n int) ([]byte, error), fn func(Group) error) error {
	some := Result{Piece: res.Piece, fs: res.fs, files: res.files}
	for i := range res.groups {
		if res.groups[i].ends {
			some.groups = append(some.groups, res.groups[i])
		}
	}
	return some.Each(buffer, fn)
}

// Each reads the groups from their files, Piece bytes at once, and calls fn with
// each, in order. buffer gives the memory that is read into, n bytes for one or more groups: the frames' Data point into it and are
// good for as long as it is left alone; the group's Frames are fn's until it
// returns. Of a damaged group those frames come that are whole. It ends with the
// first error.
func (res *Result) Each(buffer func(n int) ([]byte, error), fn func(Group) error) (err error) {
	var f vfs.File
	defer func() {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	var frames []Frame
	at := int32(-1)
	for from := 0; from < len(res.groups); {
		to, size := res.run(from)
		run := res.groups[from:to]
		buf, err := buffer(size)
		if err != nil {
			return err
		}
		if run[0].file != at {
			if f != nil {
				if err := f.Close(); err != nil {
					return err
				}
			}
			at = run[0].file
			if f, err = res.fs.OpenRead(res.files[at]); err != nil {
				return err
			}
		}
		if err := readFull(f, buf, run[0].off); err != nil {
			return fmt.Errorf("write-ahead log %s: %w", res.files[at], err)
		}
		for i := range run {
			g := &run[i]
			body := buf[g.off-run[0].off:][:g.length]
			if frames, err = goodFrames(frames[:0], g, body); err != nil {
				return fmt.Errorf("write-ahead log %s has changed while it was read: %w", res.files[at], err)
			}
			if err := fn(Group{g.seq, frames}); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// run returns the end of the groups from `from` on that lie side by side in not more
// than Piece bytes, and their size; one group in any case.
func (res *Result) run(from int) (to, size int) {
	first := &res.groups[from]
	size = int(first.length)
	for to = from + 1; to < len(res.groups); to++ {
		last, g := &res.groups[to-1], &res.groups[to]
		end := int(g.off-first.off) + int(g.length)
		if g.file != first.file || g.off != last.off+int64(align(int(last.length), blockSize)) || end > res.Piece {
			break
		}
		size = end
	}
	return to, size
}
