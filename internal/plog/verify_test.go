package plog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// flipSegment inverts one bit of one byte of a file, on the disk itself.
func flipSegment(t testing.TB, fs vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (at % 8)
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// sealedBatches makes a log of n batches, closes the store and returns the file that
// holds them and where each begins.
func sealedBatches(t testing.TB, fs vfs.FS, n int) (name string, at []int64) {
	t.Helper()
	s, _ := openStore(t, fs, 1)
	l, other := createLog(t, s, 0), createLog(t, s, 1)
	end := int64(0)
	for i := range n {
		b := batchOf(int64(i), fmt.Sprintf("a%d", i), strings.Repeat("b", i%5*40))
		at = append(at, end)
		end += int64(len(b))
		mustSubmit(t, s, Append(l, b), Append(other, batchOf(int64(i), "other")))
	}
	name = l.segs[0].file(l.dir(), logSuffix)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return name, append(at, end)
}

// readAllThatIsGood reads every offset by itself and returns those that were refused
// as damaged. Whatever is served must be what was written.
func readAllThatIsGood(t testing.TB, l *Log, n int) (refused []int64) {
	t.Helper()
	for o := int64(0); o < l.HighWatermark(); o++ {
		buf, err := l.Read(o, 1, true)
		if errors.Is(err, kerr.CorruptMessage) {
			refused = append(refused, o)
			continue
		}
		if err != nil {
			t.Fatalf("offset %d: %v", o, err)
		}
		b, rest, err := kafka.NextBatch(buf)
		if err != nil || len(rest) != 0 || b.VerifyCRC() != nil {
			t.Fatalf("offset %d: served %d bytes that are no batch: %v", o, len(buf), err)
		}
		i := b.BaseOffset() / 2
		want := batchOf(i, fmt.Sprintf("a%d", i), strings.Repeat("b", int(i)%5*40))
		want.SetBaseOffset(2 * i)
		want.SetLeaderEpoch(1)
		if o/2 != i || string(want) != string(b) {
			t.Fatalf("offset %d: served what was never written there", o)
		}
	}
	return refused
}

// A flip anywhere in a segment is never served, is reported, and hurts the offsets of
// its batch alone; the other log goes on.
func TestFlipInASegmentIsNeverServed(t *testing.T) {
	t.Parallel()
	const n = 12
	base := vfs.NewMem()
	name, at := sealedBatches(t, base, n)
	for b := range n {
		for pos := at[b]; pos < at[b+1]; pos++ {
			if pos >= at[b]+kafka.BatchOverhead+4 && pos < at[b+1]-2 {
				continue // one byte of the records is like another
			}
			fs := base.Kill()
			flipSegment(t, fs, name, pos)
			s, _ := openStore(t, fs, 2)
			l := s.Log(testID(0))
			refused := readAllThatIsGood(t, l, n)
			if len(refused) != 2 || refused[0] != int64(2*b) || refused[1] != int64(2*b+1) {
				t.Fatalf("byte %d of batch %d: refused %v", pos-at[b], b, refused)
			}
			d := s.Damage()
			if len(d) != 1 || d[0].ID != testID(0) || d[0].First != int64(2*b) || d[0].Last != int64(2*b+1) ||
				d[0].From != at[b] || d[0].To != at[b+1] || d[0].File != name || d[0].Reason == "" {
				t.Fatalf("byte %d of batch %d: reported %+v", pos-at[b], b, d)
			}
			if got := values(t, s.Log(testID(1)), 1<<20); len(got) != n {
				t.Fatalf("the other log has %d values", len(got))
			}
			s.Abandon()
		}
	}
}

// Runs that are found in any order come to the same as the whole.
func TestCheckedRunsJoin(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var at []place
		for p := (place{}); p.pos < 2<<20; p = (place{p.pos + 61 + rng.Uint32N(40<<10), p.rel + 1 + rng.Uint32N(9)}) {
			at = append(at, p)
		}
		var c checked
		good := make([]bool, len(at)-1)
		for range 30 {
			i := rng.IntN(len(good))
			j := min(i+1+rng.IntN(20), len(good))
			r := run{marks: []place{at[i]}, end: at[i]}
			for k := i; k < j; k++ {
				r.extend(at[k], at[k+1])
				good[k] = true
			}
			c.add(r)
			if rng.IntN(6) == 0 {
				k := rng.IntN(len(good))
				c.spoil(badPart{from: at[k], to: at[k+1], reason: "test"})
				for _, d := range c.bad {
					for k := range good {
						good[k] = good[k] && (at[k] != d.from)
					}
				}
				c.bad = nil // so that it may be found good again
			}
			for k, ok := range good {
				rel := at[k].rel + rng.Uint32N(at[k+1].rel-at[k].rel)
				near, end, found := c.find(rel)
				if found != ok {
					t.Fatalf("batch %d: found %v, want %v", k, found, ok)
				}
				if !ok {
					continue
				}
				if near.pos > at[k].pos || near.rel > rel || at[k].pos-near.pos > 2*markEvery+80<<10 {
					t.Fatalf("batch %d at %v: near %v", k, at[k], near)
				}
				last := k
				for last < len(good) && good[last] {
					last++
				}
				if end != at[last] {
					t.Fatalf("batch %d: the run ends at %v, want %v", k, end, at[last])
				}
				pos := at[k].pos + rng.Uint32N(300<<10)
				cut, ok := c.cut(at[k], pos)
				if ok && (cut.pos > pos || cut.pos <= at[k].pos || cut.pos > end.pos) {
					t.Fatalf("cut of %v at %d: %v", at[k], pos, cut)
				}
			}
			for i := 1; i < len(c.runs); i++ {
				if c.runs[i-1].end.pos >= c.runs[i].begin().pos {
					t.Fatal("runs touch")
				}
			}
		}
	}
}
