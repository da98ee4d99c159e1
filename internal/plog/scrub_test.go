package plog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/vfs"
)

// evictions is a file system whose files tell what they were asked to forget.
type evictions struct {
	vfs.FS
	bytes *atomic.Int64
}

type evictedFile struct {
	vfs.File
	bytes *atomic.Int64
}

func (f evictedFile) Evict(_, n int64) { f.bytes.Add(n) }

func (e evictions) Open(name string) (vfs.File, error) {
	f, err := e.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return evictedFile{f, e.bytes}, nil
}

func fast() int64 { return 1 << 40 }

// A bit flips in a complete segment of a store at work: the scrub finds it, says so
// in the store's damage and in what the directory keeps, refuses those offsets and
// no others; writers go on all the while.
func TestScrubFindsAFlippedBit(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	threeSegments(t, mem)
	var evicted atomic.Int64
	s, _ := openStore(t, evictions{mem, &evicted}, 2)
	defer s.Close()
	l, other := s.Log(testID(0)), s.Log(testID(1))
	done, err := s.Scrub(t.Context(), fast)
	if err != nil || done.Segments != 2 || len(s.Damage()) != 0 {
		t.Fatalf("a good store: %+v, %v, %v", done, err, s.Damage())
	}
	if evicted.Load() != done.Bytes || done.Bytes == 0 {
		t.Errorf("%d bytes were read, %d given back to the system", done.Bytes, evicted.Load())
	}
	size := int64(len(sequenced(7, 0, 0, "value-00")))
	flipByte(t, mem, fmt.Sprintf("%s/%020d.log", l.dir(), 10), 3*size+70)

	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, l := range []*Log{l, other} {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				_, pos, err := s.Submit(Append(l, batchOf(1, "more")))
				if err == nil {
					err = s.Wait(context.Background(), pos)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	_, err = s.Scrub(t.Context(), fast)
	stop()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	d := s.Damage()
	if len(d) != 1 || d[0].ID != testID(0) || d[0].First != 13 || d[0].Last != 13 || d[0].From != 3*size || d[0].To != 4*size {
		t.Fatalf("%+v", d)
	}
	if _, err := l.Read(13, 100, true); !errors.Is(err, kerr.CorruptMessage) {
		t.Errorf("the damaged offset: %v", err)
	}
	if _, err := l.Read(14, 100, true); err != nil {
		t.Errorf("the next one: %v", err)
	}
	for range 2 { // once noted is enough
		if _, err := s.Scrub(t.Context(), fast); err != nil {
			t.Fatal(err)
		}
	}
	ins, err := Incidents(mem, "/data")
	if err != nil || len(ins) != 1 || ins[0].What != IncidentDamaged || ins[0].First != 13 || ins[0].Last != 13 || ins[0].Topic != "topic" {
		t.Errorf("%+v, %v", ins, err)
	}
}

// A scrub keeps to its rate, which may change while it runs, and ends when it is told.
func TestScrubKeepsToItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		threeSegments(t, mem)
		s, _ := openStore(t, mem, 2)
		defer s.Close()
		size := 10 * int64(len(sequenced(7, 0, 0, "value-00"))) // of a segment
		began := time.Now()
		rates := []int64{size, size / 2}
		done, err := s.Scrub(t.Context(), func() int64 { r := rates[0]; rates = rates[1:]; return r })
		if err != nil || done.Bytes != 2*size {
			t.Fatal(done, err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("two segments, one second and two: it took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began = time.Now()
		if _, err := s.Scrub(ctx, func() int64 { return 1 }); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// A segment that the disk does not give is told of, and the others are read.
func TestScrubOfAnUnreadableSegment(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	threeSegments(t, mem)
	fs := vfs.NewFaulty(mem)
	s, _ := openStore(t, fs, 2)
	defer s.Close()
	fs.Add(vfs.Rule{Op: vfs.OpRead, Name: fmt.Sprintf("%020d.log", 0), Err: errors.New("input/output error")})
	done, err := s.Scrub(t.Context(), fast)
	if err != nil || done.Segments != 1 || done.Unread != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	ins, err := Incidents(mem, "/data")
	if err != nil || len(ins) != 1 || ins[0].First != 0 || ins[0].Last != 9 {
		t.Errorf("%+v, %v", ins, err)
	}
}
