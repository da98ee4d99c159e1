package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

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
	// data cannot: the logs that are hurt. Nil when the frames could not even be
	// told apart: then any log may be.
	Frames []Frame
	Err    error
}

// Result is what Scan found.
type Result struct {
	// Groups follow each other without a gap, up to the torn tail. A damaged
	// group stands among them with those of its frames that are whole.
	Groups []Group
	// Damaged groups lie at or below the durable mark: they must not be cut silently.
	Damaged []Damage
	// Torn is how many bytes of groups were cut as a torn tail: written, never
	// known to be durable.
	Torn int64
	// Last is the highest sequence number seen anywhere: new groups start above.
	Last Pos
}

// found is a group header at a place, whole or not.
type found struct {
	groupHeader
	body []byte // the group's bytes, header included; nil when they run out of the file
}

// Scan reads the files in dir and returns the groups above after, in order.
// It changes nothing. A missing directory is an empty log. The frames' Data
// point into memory that lives as long as they do.
func Scan(fsys vfs.FS, dir string, salt uint64, after Pos) (*Result, error) {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &Result{Last: after}, nil
	}
	if err != nil {
		return nil, err
	}
	res := &Result{Last: after}
	var all []found
	mark := after
	for _, name := range names {
		if !strings.HasSuffix(name, fileSuffix) {
			continue
		}
		data, err := vfs.ReadFile(fsys, path.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("write-ahead log %s: %w", path.Join(dir, name), err)
		}
		for _, f := range headers(data, salt) {
			res.Last = max(res.Last, f.seq)
			mark = max(mark, f.durable)
			if f.seq > after {
				all = append(all, f)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return int(int64(a.seq) - int64(b.seq)) })
	res.collect(all, after, mark)
	return res, nil
}

// collect walks the groups in order and tells whole, damaged and torn apart.
func (res *Result) collect(all []found, after, mark Pos) {
	next := after + 1
	for i := 0; i < len(all); i++ {
		// More than one of a number: the group and copies of it in records' data,
		// met in the rest of a group that is not whole. One that is whole is as
		// good as the other.
		f := all[i]
		for ; i+1 < len(all) && all[i+1].seq == f.seq; i++ {
			if _, _, err := parseGroup(f); err != nil {
				f = all[i+1]
			}
		}
		// Groups that are not there at all but were durable.
		next = res.missing(next, min(f.seq-1, mark))
		if f.seq != next {
			res.tear(all[i:])
			return
		}
		frames, bad, err := parseGroup(f)
		switch {
		case err == nil:
			res.Groups = append(res.Groups, Group{f.seq, frames})
		case f.seq <= mark:
			res.Damaged = append(res.Damaged, Damage{Seq: f.seq, Frames: bad, Err: err})
			res.Groups = append(res.Groups, Group{f.seq, frames})
		default:
			res.tear(all[i:])
			return
		}
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

func (res *Result) tear(rest []found) {
	for _, f := range rest {
		res.Torn += int64(f.length)
	}
}

// headers finds the group headers of a file: from group to group by their
// lengths, from block to block where that chain is broken.
func headers(data []byte, salt uint64) []found {
	var out []found
	for off := 0; off+groupHeaderSize <= len(data); {
		h, err := parseGroupHeader(data[off:], salt)
		if err != nil {
			off += blockSize
			continue
		}
		f := found{groupHeader: h}
		if int64(off)+int64(h.length) <= int64(len(data)) {
			f.body = data[off : off+int(h.length)]
		}
		out = append(out, f)
		if f.body == nil {
			off += blockSize
			continue
		}
		if _, _, err := parseGroup(f); err != nil {
			// The rest of a bad group may be newer groups of an earlier round.
			off += blockSize
			continue
		}
		off += align(int(h.length), blockSize)
	}
	return out
}

// parseGroup returns the group's good frames, and the bad ones whose logs are
// known when it is not whole.
func parseGroup(f found) (frames, bad []Frame, err error) {
	if f.body == nil {
		return nil, nil, fmt.Errorf("%w: group %d runs out of its file", errGroup, f.seq)
	}
	p := f.body[groupHeaderSize:]
	for range f.frames {
		fr, size, header, ferr := parseFrame(p)
		if !header {
			return frames, nil, fmt.Errorf("group %d: %w", f.seq, ferr)
		}
		if ferr != nil {
			bad = append(bad, fr)
			err = fmt.Errorf("group %d: %w", f.seq, ferr)
		} else {
			frames = append(frames, fr)
		}
		p = p[size:]
	}
	return frames, bad, err
}
