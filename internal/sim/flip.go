//go:build sim

package sim

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// flipped is one bit of the disk that has changed by itself.
type flipped struct {
	name string
	at   int64
	was  byte
	part *partition // whose file it is in; nil for the write-ahead log
	// from and to are the offsets of the batch that it is in; none in an index.
	from, to int64
}

func (f *flipped) String() string { return fmt.Sprintf("byte %d of %s", f.at, f.name) }

// flip changes a bit of a segment, an index or the write-ahead log at rest, and
// opens the broker: what is served is right, what is damaged is reported, and
// other partitions are as they were.
func (r *run) flip() error {
	f, err := r.flipBit()
	if f == nil || err != nil {
		return err
	}
	r.life = &life{n: r.life.n + 1}
	r.d = newDisk(r.fs, r.rng)
	r.d.TraceTo(^vfs.Op(0), func(line string) { r.hist.note("%s", line) })
	r.cfg.FS = r.d
	r.stat.Flips++
	err = sched.Run(sched.Options{Seed: r.rng.Uint64(), Start: r.now}, func() {
		r.hist.note("-- flipped: %s", f)
		b, err := broker.Open(r.cfg)
		if err != nil {
			r.hist.note("-- open: %v", err)
			if f.part != nil {
				r.fail("the broker does not start: %v", err)
			}
			return // a damaged write-ahead log may refuse the start
		}
		r.b = b
		if err := r.checkFlipped(f); err != nil {
			r.fail("%v", err)
		}
	})
	if err != nil {
		return fmt.Errorf("a bit flipped in %s: %w", f, err)
	}
	return nil
}

// flipBit draws a bit and flips it; nil when there is none worth it.
func (r *run) flipBit() (*flipped, error) {
	var files []flipped
	add := func(dir string, p *partition, suffixes ...string) {
		names, err := r.fs.List(dir)
		if err != nil {
			return // it has no files yet
		}
		for _, name := range names {
			for _, s := range suffixes {
				if strings.HasSuffix(name, s) {
					files = append(files, flipped{name: path.Join(dir, name), part: p, from: -1, to: -1})
				}
			}
		}
	}
	for _, t := range r.mem.topics {
		for _, p := range t.parts {
			if t.state == live && !p.damaged {
				add(fmt.Sprintf("/data/logs/%s.%s/%d", t.name, t.id, p.index), p, ".log", ".index")
			}
		}
	}
	if len(files) == 0 || r.rng.IntN(4) == 0 {
		add("/data/wal", nil, ".wal")
	}
	f := files[r.rng.IntN(len(files))]
	b, err := vfs.ReadFile(r.fs, f.name)
	if err != nil {
		return nil, err
	}
	end := len(b)
	for end > 0 && b[end-1] == 0 {
		end-- // of the write-ahead log most is empty
	}
	if end == 0 {
		return nil, nil
	}
	at, bit := r.rng.IntN(end), r.rng.IntN(8)
	if strings.HasSuffix(f.name, ".log") {
		from := int64(0) // where the next batch may begin
		for pos := 0; pos < len(b); {
			bt, rest, err := kafka.NextBatch(b[pos:])
			if err != nil {
				break
			}
			if at >= pos && at < pos+len(bt) {
				f.from, f.to = bt.BaseOffset(), bt.LastOffset()
				if at < pos+baseOffsetBytes && movesInHole(bt, rest, from, at-pos, bit) {
					at += baseOffsetBytes
				}
			}
			from = bt.LastOffset() + 1
			pos += len(bt)
		}
	}
	f.at, f.was = int64(at), b[at]
	file, err := r.fs.Open(f.name)
	if err != nil {
		return nil, err
	}
	_, err = file.WriteAt([]byte{b[at] ^ 1<<bit}, f.at)
	return &f, errors.Join(err, file.Sync(), file.Close())
}

// baseOffsetBytes are the first of a batch, which its checksum leaves out.
const baseOffsetBytes = 8

// movesInHole reports whether a flip of the bit in byte i of the batch's base offset
// moves it within a hole that compaction has left: from is the end of the batch before
// it, rest begins with the one behind it. Nothing in the format tells that
// (docs/decisions/read-path.md).
func movesInHole(bt kafka.Batch, rest []byte, from int64, i, bit int) bool {
	base := bt.BaseOffset() ^ 1<<(8*(baseOffsetBytes-1-i)+bit)
	to := bt.LastOffset() // of the file's last batch: it is known where the file ends
	if next, _, err := kafka.NextBatch(rest); err == nil {
		to = next.BaseOffset() - 1
	}
	return base >= from && base+bt.LastOffset()-bt.BaseOffset() <= to
}

// stays reports whether the flipped bit is still there: recovery may have written
// the bytes anew.
func (r *run) stays(f *flipped) bool {
	b, err := vfs.ReadFile(r.fs, f.name)
	return err == nil && f.at < int64(len(b)) && b[f.at] != f.was
}

func (r *run) checkFlipped(f *flipped) error {
	rep := r.b.Recovery
	if f.part == nil && (len(rep.Fenced) > 0 || rep.Kept != "" || rep.TornBytes > 0) {
		// Reported: as damage, or (the newest group, which nothing vouches for) as a
		// torn tail. Whatever is served all the same is right.
		for _, p := range r.mem.usable() {
			if at := r.b.PartitionByID(p.topic.id, p.index); at != nil {
				p.start, p.end = 0, 0
				if _, err := r.readWhatIsThere(at, p); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := r.checkTopics(); err != nil {
		return err
	}
	for _, p := range r.mem.usable() {
		if p == f.part {
			continue
		}
		if err := r.checkPartition(p); err != nil {
			return fmt.Errorf("in another partition: %w", err)
		}
	}
	if err := r.checkCommits(); err != nil || f.part == nil {
		return err
	}
	at := r.find(f.part)
	if at.Log.Fenced() != nil {
		return nil // reported
	}
	hurt, err := r.readWhatIsThere(at, f.part)
	if err != nil {
		return err
	}
	if f.to >= at.Log.Start() && f.to < at.Log.HighWatermark() && hurt == 0 && r.stays(f) {
		return fmt.Errorf("%s: nobody reports the damage of offsets %d to %d", f.part, f.from, f.to)
	}
	return nil
}

// readWhatIsThere reads a damaged partition from every offset on. It returns how
// many of them were refused, and an error when something wrong is served.
func (r *run) readWhatIsThere(at *broker.Partition, p *partition) (hurt int, err error) {
	for offset := at.Log.Start(); offset < at.Log.HighWatermark(); offset++ {
		_, err := r.read(at, p, offset, 1)
		switch {
		case err == nil, errors.Is(err, kerr.OffsetOutOfRange), errors.Is(err, errGone):
		case errors.Is(err, kerr.CorruptMessage), errors.Is(err, kerr.KafkaStorageError):
			hurt++
		default:
			return hurt, err
		}
	}
	return hurt, nil
}
