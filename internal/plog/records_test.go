package plog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// held are records that were fetched, with what they must turn out to be.
type held struct {
	Records
	want []byte
}

// whole reads records in pieces of random sizes.
func (h *held) whole(rng *rand.Rand) ([]byte, error) {
	out := make([]byte, h.Size())
	for at := 0; at < len(out); {
		n := min(len(out)-at, 1+rng.IntN(3*len(out)))
		if got, err := h.ReadAt(out[at:at+n], int64(at)); err != nil {
			return nil, fmt.Errorf("%d bytes at %d of %d: %d, %w", n, at, len(out), got, err)
		}
		at += n
	}
	return out, nil
}

// Fetch against a model, from any offset with any limit, with appends of all sizes,
// checkpoints and a moving log start in between. What was fetched is read at once or
// much later: it is what it was, wherever it has gone meanwhile.
func TestFetchAgainstAModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			opt := testOptions(vfs.NewMem(), 1)
			opt.WALFileSize = 16 << 20
			s, _, err := Open(opt)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			cfg := DefaultConfig()
			cfg.SegmentBytes = 300 << 10
			l := mustSubmit(t, s, Create(testID(0), "topic", cfg))[0].Log
			l.SetConfig(cfg)
			var model [][]byte // all batches
			var kept []*held
			read := func(h *held) {
				got, err := h.whole(rng)
				// Only what nobody had begun to read, and whose file is gone, cannot be had.
				if errors.Is(err, errMoved) {
					if first := kafka.Batch(h.want).BaseOffset(); first >= l.Start() {
						t.Fatalf("batch at %d is gone, the log starts at %d", first, l.Start())
					}
				} else if err != nil || !bytes.Equal(got, h.want) {
					t.Fatalf("%d bytes instead of %d, %v", len(got), len(h.want), err)
				}
				h.Release()
			}
			for range 600 {
				switch rng.IntN(12) {
				case 0, 1, 2, 3:
					size := []int{10, 200, 3000, 20 << 10, 40 << 10}[rng.IntN(5)]
					var ops []Op
					for range 1 + rng.IntN(3) {
						b := batchOf(int64(len(model)), fmt.Sprint(len(model)), strings.Repeat("x", rng.IntN(size)))
						ops = append(ops, Append(l, b))
						if len(b) >= opt.DirectBytes {
							break // the next one is a unit of its own
						}
					}
					for _, op := range ops {
						mustSubmit(t, s, op)
						model = append(model, bytes.Clone(op.batch))
					}
				case 4:
					if err := s.Checkpoint(); err != nil {
						t.Fatal(err)
					}
				case 5:
					if l.End() > 0 && rng.IntN(4) == 0 {
						mustSubmit(t, s, SetStart(l, l.Start()+rng.Int64N(l.End()-l.Start()+1)/3))
						s.tidy()
					}
				case 6:
					if len(kept) > 0 {
						i := rng.IntN(len(kept))
						read(kept[i])
						kept = append(kept[:i], kept[i+1:]...)
					}
				default:
					h := fetchAsModel(t, rng, l, model)
					if h != nil && rng.IntN(3) == 0 {
						kept = append(kept, h)
					} else if h != nil {
						read(h)
					}
				}
			}
			for _, h := range kept {
				read(h)
			}
			if d := s.Damage(); len(d) != 0 {
				t.Errorf("%+v", d)
			}
		})
	}
}

func fetchAsModel(t *testing.T, rng *rand.Rand, l *Log, model [][]byte) *held {
	t.Helper()
	start, end := l.Start(), l.HighWatermark()
	offset := start + rng.Int64N(end-start+3) - 1
	most, minOne := rng.IntN(200<<10), rng.IntN(2) == 0
	if rng.IntN(4) == 0 {
		most = rng.IntN(300)
	}
	r, err := l.Fetch(offset, most, minOne)
	switch {
	case offset < start || offset > end:
		if !errors.Is(err, kerr.OffsetOutOfRange) {
			t.Fatalf("offset %d of %d to %d: %v", offset, start, end, err)
		}
		return nil
	case err != nil:
		t.Fatal(err)
	}
	i := 0
	for i < len(model) && kafka.Batch(model[i]).LastOffset() < offset {
		i++
	}
	var want []byte
	for ; i < len(model) && len(want) < r.Size(); i++ {
		want = append(want, model[i]...)
	}
	if len(want) != r.Size() {
		t.Fatalf("%d bytes are no whole batches, they have %d", r.Size(), len(want))
	}
	switch {
	case r.Size() == 0 && offset < end && (minOne || len(model[i]) <= most):
		t.Fatalf("nothing at %d below %d, the batch has %d of %d bytes", offset, end, len(model[i]), most)
	case r.Size() > most && !(minOne && len(kafka.Batch(want)[:kafka.Batch(want).Size()]) == r.Size()):
		t.Fatalf("%d bytes, at most %d", r.Size(), most)
	case r.Size() == 0:
		r.Release()
		return nil
	}
	return &held{r, want}
}

// What is on its way out stays valid when the topic is deleted, compacted or trimmed.
func TestRecordsOutliveTheirSegment(t *testing.T) {
	t.Parallel()
	for how, take := range map[string]func(*keyed){
		"deleted":   func(k *keyed) { mustSubmit(t, k.s, Delete(k.l)); k.s.tidy() },
		"trimmed":   func(k *keyed) { mustSubmit(t, k.s, SetStart(k.l, 3)); k.s.tidy() },
		"compacted": func(k *keyed) { k.compact() },
	} {
		for _, early := range []bool{true, false} {
			k := newKeyed(t, vfs.NewMem(), compactConfig())
			k.put("a=1")
			k.put("a=2")
			k.put("a=3")
			k.fill()
			if err := k.s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			want, err := k.l.Read(0, 200, true)
			if err != nil || len(want) == 0 {
				t.Fatal(err)
			}
			r, err := k.l.Fetch(0, 200, true)
			if err != nil {
				t.Fatal(err)
			}
			if early {
				if _, err := r.ReadAt(make([]byte, 10), 0); err != nil {
					t.Fatal(err)
				}
			}
			name := k.l.segs[0].file(k.l.dir(), logSuffix)
			take(k)
			if _, err := k.s.opt.FS.Stat(name); !isNotExist(err) {
				t.Fatalf("%s: %s is still there (%v)", how, name, err)
			}
			got := make([]byte, r.Size())
			if _, err := r.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d of %d bytes are right, %v", how, len(got), len(want), err)
			}
			r.Release()
			k.s.Abandon()
		}
	}
}

// A checkpoint may come between the look at a segment and the look at what is known of
// its bytes: the reader keeps to what it saw first.
func TestFetchWhileACheckpointEnds(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t, vfs.NewMem(), 1)
	defer s.Close()
	l := createLog(t, s, 0)
	var size int
	for i := range 6 {
		b := batchOf(int64(i), "value")
		size = len(b)
		mustSubmit(t, s, Append(l, b))
		if i == 3 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.mu.RLock()
	v := l.view(l.segs[0])
	l.mu.RUnlock()
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	for offset := range int64(4) {
		for most := range 7 {
			r, found, err := l.findInSegment(l.segs[0], &v, offset, v.next, most*size, true)
			if want := min(max(most, 1), int(4-offset)) * size; err != nil || !found || r.Size() != want {
				t.Errorf("offset %d, %d batches: %d bytes, want %d, %v", offset, most, r.Size(), want, err)
			}
			r.Release()
		}
	}
	if d := s.Damage(); len(d) != 0 {
		t.Errorf("%+v", d)
	}
}

// Where a checkpoint happened to be is no reason for an answer to end there: what is in
// the segment and what is still in memory go together, as far as they fit.
func TestFetchGoesOnInMemory(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t, vfs.NewMem(), 1)
	defer s.Close()
	l := createLog(t, s, 0)
	var all []byte
	var size int
	for i := range 6 {
		b := batchOf(int64(i), fmt.Sprint("value ", i))
		mustSubmit(t, s, Append(l, b))
		all, size = append(all, b...), len(b)
		if i == 1 || i == 3 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for offset := range 6 {
		for most := range 8 {
			want := all[offset*size : min(offset+max(most, 1), 6)*size]
			got, err := l.Read(int64(offset), most*size+size/2, true)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("offset %d, %d batches: %d bytes, want %d, %v", offset, most, len(got), len(want), err)
			}
		}
	}
}

// Fetched records hold no memory of the write-ahead log, however long they wait.
func TestRecordsHoldNoMemory(t *testing.T) {
	t.Parallel()
	opt := testOptions(vfs.NewMem(), 1)
	opt.WALFileSize = 16 << 20
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := createLog(t, s, 0)
	for i := range 70 {
		mustSubmit(t, s, Append(l, batchOf(int64(i), strings.Repeat("x", 30<<10))))
	}
	want, err := l.Read(0, 8<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Fetch(0, 8<<20, true)
	if err != nil || r.Size() != len(want) || len(want) < 2<<20 {
		t.Fatal(r.Size(), err)
	}
	before := s.Memory()
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if after := s.Memory(); after > before/2 {
		t.Errorf("%d of %d bytes are still in use after the checkpoint", after, before)
	}
	got := make([]byte, r.Size())
	if _, err := r.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("not what was fetched: %v", err)
	}
	r.Release()
	// A piece does hold it, until it is done with.
	mustSubmit(t, s, Append(l, batchOf(0, "last")))
	r, err = l.Fetch(70, 100, true)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var p Piece
	if err := r.Piece(0, &p); err != nil || len(p.Mem) != 1 {
		t.Fatal(p, err)
	}
	want = bytes.Clone(p.Mem[0])
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	for i := range 40 { // chunks are used again
		mustSubmit(t, s, Append(l, batchOf(int64(i), strings.Repeat("y", 30<<10))))
		if i%20 == 19 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !bytes.Equal(p.Mem[0], want) {
		t.Error("memory that a piece held was used again")
	}
	p.Done()
}

// Readers check, scrub-like, in parallel with appends and checkpoints.
func TestVerifyWhileWriting(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	name, _ := sealedBatches(t, fs, 50)
	s, _ := openStore(t, fs, 2)
	defer s.Close()
	l := s.Log(testID(0))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	for range 2 {
		go func() {
			for ctx.Err() == nil {
				l.mu.RLock()
				seg := l.segs[0]
				v := l.view(seg)
				l.mu.RUnlock()
				at, err := place{}, error(nil)
				for at.pos < v.size && err == nil {
					at, err = l.verify(&v, l.checkedOf(seg), at, at.pos+500)
				}
				if err == nil && int64(at.rel)+v.base != v.next {
					err = fmt.Errorf("verified up to %d, not %d", at.rel, v.next)
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for i := range 100 {
		mustSubmit(t, s, Append(l, batchOf(int64(i), "new")))
		if i%10 == 0 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.Read(int64(i), 300, true); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := errors.Join(<-done, <-done); err != nil {
		t.Error(err)
	}
	if d := s.Damage(); len(d) != 0 {
		t.Fatalf("%+v", d)
	}
	// What has rotted since it was checked is found by looking again, and refused.
	flipSegment(t, fs, name, 70)
	l.mu.RLock()
	v := l.view(l.segs[0])
	l.mu.RUnlock()
	if _, err := l.verify(&v, l.segs[0].checked, place{}, v.size); err != nil {
		t.Fatal(err)
	}
	if d := s.Damage(); len(d) != 1 || d[0].First != 0 || d[0].Last != 1 {
		t.Fatalf("%+v", d)
	}
	if _, err := l.Read(0, 300, true); !errors.Is(err, kerr.CorruptMessage) {
		t.Errorf("read of what has rotted: %v", err)
	}
	if _, err := l.Read(2, 300, true); err != nil {
		t.Error(err)
	}
}
