package volatile

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
)

// ErrPower is what a disk without power answers.
var ErrPower = errors.New("the disk has no power")

// ErrIO is what a disk answers that was told to fail.
var ErrIO = errors.New("the disk fails, as it was told to")

// Disk is a file that stands for a disk's platter, and a cache in memory before
// it. All methods may be called by everybody at any time.
type Disk struct {
	mu      sync.Mutex
	platter *os.File
	size    int64
	sector  int64
	cache   map[int64][]byte // by number of the sector: written and not flushed
	off     bool
	failing bool
	left    int           // sectors until the cut that was ordered; meaningful while ordered is set
	ordered chan struct{} // closed by that cut

	flushes int
	written int64 // sectors, ever
}

// Open takes a file whose size is a whole number of sectors as a platter. A
// sector is what the disk writes at once or not at all, in bytes: 512, or 4096
// on newer disks.
func Open(path string, sector int64) (*Disk, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size()%sector != 0 {
		err = errors.New(path + " is no whole number of sectors long")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Disk{platter: f, size: info.Size(), sector: sector, cache: map[int64][]byte{}}, nil
}

// Close closes the platter; the cache is lost.
func (d *Disk) Close() error { return d.platter.Close() }

// Size is the disk's size in bytes.
func (d *Disk) Size() int64 { return d.size }

// fault is why nothing can be done now. Called with mu held.
func (d *Disk) fault() error {
	switch {
	case d.off:
		return ErrPower
	case d.failing:
		return ErrIO
	}
	return nil
}

// ReadAt reads what was written last, flushed or not. A disk that fails still
// reads, as disks do.
func (d *Disk) ReadAt(b []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return 0, ErrPower
	}
	n, err := d.platter.ReadAt(b, off)
	for at := off / d.sector; at*d.sector < off+int64(n); at++ {
		if s, ok := d.cache[at]; ok {
			if from := at*d.sector - off; from >= 0 {
				copy(b[from:n], s)
			} else {
				copy(b[:n], s[-from:])
			}
		}
	}
	return n, err
}

// WriteAt writes into the cache.
func (d *Disk) WriteAt(b []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fault(); err != nil {
		return 0, err
	}
	for n := 0; n < len(b); {
		if d.ordered != nil {
			if d.left == 0 {
				d.cut()
				return n, ErrPower
			}
			d.left--
		}
		at, in := (off+int64(n))/d.sector, (off+int64(n))%d.sector
		s := d.cache[at]
		if s == nil {
			s = make([]byte, d.sector)
			if in != 0 || int64(len(b)-n) < d.sector {
				if _, err := d.platter.ReadAt(s, at*d.sector); err != nil {
					return n, err
				}
			}
			d.cache[at] = s
		}
		n += copy(s[in:], b[n:])
		d.written++
	}
	return len(b), nil
}

// Flush writes the cache to the platter.
func (d *Disk) Flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fault(); err != nil {
		return err
	}
	d.flushes++
	return d.keep(slices.Sorted(maps.Keys(d.cache)))
}

// keep writes sectors to the platter and empties the cache. Runs of sectors are
// written at once.
func (d *Disk) keep(sectors []int64) error {
	var run []byte
	for i, at := range sectors {
		run = append(run, d.cache[at]...)
		if i+1 < len(sectors) && sectors[i+1] == at+1 {
			continue
		}
		first := at + 1 - int64(len(run))/d.sector
		if _, err := d.platter.WriteAt(run, first*d.sector); err != nil {
			return err
		}
		run = run[:0]
	}
	clear(d.cache)
	return nil
}

// Cut takes the power away at once: from now on everything fails, and nothing
// that has not been flushed will be.
func (d *Disk) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut()
}

// CutAfter is a Cut in the middle of a write: after so many more sectors. The
// channel is closed when it has come to that, or to an earlier Cut.
func (d *Disk) CutAfter(sectors int) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ordered == nil {
		d.ordered = make(chan struct{})
	}
	d.left = sectors
	return d.ordered
}

func (d *Disk) cut() {
	d.off = true
	if d.ordered != nil {
		close(d.ordered)
		d.ordered = nil
	}
}

// Lost says what a power cut has cost.
type Lost struct {
	// Cached sectors were not flushed; Kept of them are on the platter all the same.
	Cached, Kept int
}

// Power gives the power back after a Cut. Each sector of the cache is lost, or
// on the platter if the disk had come to it: keep is how likely that is, from 0 to 1.
func (d *Disk) Power(rng *rand.Rand, keep float64) (Lost, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sectors := slices.Sorted(maps.Keys(d.cache))
	lost := Lost{Cached: len(sectors)}
	sectors = slices.DeleteFunc(sectors, func(int64) bool { return rng.Float64() >= keep })
	lost.Kept = len(sectors)
	d.off = false
	return lost, d.keep(sectors)
}

// Fail makes writes and flushes fail with an I/O error, or work again.
func (d *Disk) Fail(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing = on
}

// Flushes is how often the disk was told to flush, and how many sectors were written.
func (d *Disk) Flushes() (flushes int, sectors int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flushes, d.written
}
