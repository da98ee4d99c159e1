package limit

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	record    = 1 << 10
	chunk     = 1 << 20
	syncEvery = 64 << 20
	recycled  = 64 << 20 // size of the file that is filled once and written again and again
	writers   = 64
)

// filledFile is a file of zeros on disk, so that a write changes no metadata.
func filledFile(dir string, size int64) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "limit"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, chunk)
	for at := int64(0); at < size; at += chunk {
		if _, err := f.WriteAt(zeros, at); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// discard closes and removes a file.
func discard(f *os.File) { _ = errors.Join(f.Close(), os.Remove(f.Name())) } // its folder is removed at the end anyway

func fdatasync(j Job) (Outcome, error) {
	f, err := filledFile(j.Dir, recycled)
	if err != nil {
		return Outcome{}, err
	}
	defer discard(f)
	var o Outcome
	value := make([]byte, record)
	s := start()
	for at := int64(0); time.Since(s.began) < j.For; at = (at + record) % recycled {
		began := time.Now()
		if _, err := f.WriteAt(value, at); err != nil {
			return o, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return o, err
		}
		o.Latencies = append(o.Latencies, time.Since(began))
		o.Ops, o.Bytes = o.Ops+1, o.Bytes+record
	}
	s.stop(&o)
	return o, nil
}

// groupCommit gathers what comes while one sync runs, and takes it as one write with the next.
func groupCommit(j Job) (Outcome, error) {
	f, err := filledFile(j.Dir, recycled)
	if err != nil {
		return Outcome{}, err
	}
	defer discard(f)
	var (
		wg        sync.WaitGroup
		mu        sync.Mutex
		waiting   = make(chan chan error, writers)
		latencies []time.Duration
		failure   error
	)
	s := start()
	for range writers {
		wg.Go(func() {
			answer := make(chan error, 1)
			var own []time.Duration
			var err error
			for err == nil && time.Since(s.began) < j.For {
				began := time.Now()
				waiting <- answer
				err = <-answer
				own = append(own, time.Since(began))
			}
			mu.Lock()
			latencies, failure = append(latencies, own...), errors.Join(failure, err)
			mu.Unlock()
		})
	}
	go func() { wg.Wait(); close(waiting) }()
	value := make([]byte, writers*record)
	group := make([]chan error, 0, writers)
	var at int64
	for first := range waiting {
		group = append(group[:0], first)
		for len(waiting) > 0 && len(group) < writers {
			group = append(group, <-waiting)
		}
		n := int64(len(group) * record)
		if at+n > recycled {
			at = 0
		}
		_, err := f.WriteAt(value[:n], at)
		if err == nil {
			err = unix.Fdatasync(int(f.Fd()))
		}
		at += n
		for _, w := range group {
			w <- err
		}
	}
	o := Outcome{Latencies: latencies, Ops: int64(len(latencies)), Bytes: int64(len(latencies)) * record}
	s.stop(&o)
	return o, failure
}

func write(j Job) (Outcome, error) {
	f, err := filledFile(j.Dir, 0)
	if err != nil {
		return Outcome{}, err
	}
	defer discard(f)
	var o Outcome
	value := make([]byte, chunk)
	s := start()
	for time.Since(s.began) < j.For || o.Bytes%syncEvery != 0 {
		if err := appendSynced(f, value, &o); err != nil {
			return o, err
		}
	}
	s.stop(&o)
	return o, nil
}

// appendSynced writes to the end, and syncs whenever another syncEvery is full.
func appendSynced(f *os.File, b []byte, o *Outcome) error {
	before := o.Bytes / syncEvery
	n, err := f.Write(b)
	o.Bytes, o.Ops = o.Bytes+int64(n), o.Ops+1
	if err == nil && o.Bytes/syncEvery > before {
		err = unix.Fdatasync(int(f.Fd()))
	}
	return err
}
