package plog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// Producers, readers, trims, deletions, compactions and checkpoints at once, on
// a write-ahead log so small that they wait for each other. Power is lost now
// and then, on a copy: every one of the copies has what had been acknowledged
// when it was made.
func TestTogetherAndLosePower(t *testing.T) {
	t.Parallel()
	const logs, each = 6, 250
	mem := vfs.NewMem()
	opt := testOptions(mem, 1)
	opt.WALFileSize, opt.WALFiles, opt.OpenFiles, opt.CheckpointBytes = 512<<10, 2, 2, 200<<10
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.SegmentBytes = 20 << 10
	var acked [logs]atomic.Int64
	var total atomic.Int64
	type lost struct {
		disk  *vfs.Mem
		acked [logs]int64
	}
	var mu sync.Mutex
	var disks []lost
	crash := func() {
		mu.Lock()
		defer mu.Unlock()
		var d lost
		for n := range acked {
			d.acked[n] = acked[n].Load()
		}
		d.disk = mem.Crash(vfs.KeepSome, uint64(len(disks)))
		disks = append(disks, d)
	}
	var ls [logs]*Log
	for n := range ls {
		c := cfg
		c.Compact = n == 0
		ls[n] = mustSubmit(t, s, Create(testID(n), "t", c))[0].Log
	}
	stop := make(chan bool)
	var others, producers sync.WaitGroup
	for n, l := range ls {
		producers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			for i := range each {
				v := fmt.Sprint(n, "/", i, " ")
				switch rng.IntN(10) {
				case 0:
					v += strings.Repeat("L", 40<<10)
				case 1:
					v += strings.Repeat("m", 8<<10)
				}
				b := kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Timestamp: 1, Key: fmt.Append(nil, i%50), Value: []byte(v)}})
				release, err := s.Admit(t.Context(), len(b))
				if err != nil {
					t.Errorf("admit: %v", err)
					return
				}
				_, pos, err := s.Submit(Append(l, b))
				release()
				if err == nil {
					err = s.Wait(t.Context(), pos)
				}
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				acked[n].Store(int64(i + 1))
				if total.Add(1)%60 == 0 {
					crash()
				}
			}
		})
		others.Go(func() { // reads all of its log, again and again
			at := int64(0)
			for {
				select {
				case <-stop:
					return
				default:
				}
				buf, err := l.Read(at, 30<<10, true)
				if errors.Is(err, kerr.OffsetOutOfRange) {
					at = l.Start()
					continue
				}
				if err != nil {
					t.Errorf("read at %d: %v", at, err)
					return
				}
				if len(buf) == 0 {
					at = l.Start()
				}
				for len(buf) > 0 {
					b, rest, err := kafka.NextBatch(buf)
					if err == nil {
						err = b.VerifyCRC()
					}
					if err != nil || b.LastOffset() < at {
						t.Errorf("read at %d: batch %v, %v", at, b, err)
						return
					}
					at, buf = b.NextOffset(), rest
				}
			}
		})
	}
	others.Go(func() { // trims, compactions, refused units, logs that come and go
		for round := 0; ; round++ {
			select {
			case <-stop:
				return
			default:
			}
			release, err := s.Admit(t.Context(), 0) // or it would eat up the reserve: nobody else pauses it
			if err != nil {
				t.Errorf("admit: %v", err)
				return
			}
			release()
			if _, _, err := s.Submit(SetStart(ls[1], ls[1].HighWatermark()/2)); err != nil {
				t.Errorf("trim: %v", err)
			}
			if _, err := s.Compact(t.Context(), ls[0]); err != nil {
				t.Errorf("compact: %v", err)
			}
			rs, pos, err := s.Submit(Create(testID(100+round), "passing", cfg))
			if err == nil {
				err = s.Wait(t.Context(), pos)
			}
			if err == nil {
				_, _, err = s.Submit(Append(rs[0].Log, batchOf(1, strings.Repeat("d", 50<<10))))
			}
			if err == nil {
				_, pos, err = s.Submit(Delete(rs[0].Log))
			}
			if err == nil {
				err = s.Wait(t.Context(), pos)
			}
			if err != nil {
				t.Errorf("a log that comes and goes: %v", err)
			}
		}
	})
	producers.Wait()
	close(stop)
	others.Wait()
	crash()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := inUse(s); n != 0 {
		t.Errorf("%d files are in use after the end", n)
	}
	if len(disks) < logs*each/60 {
		t.Fatalf("%d losses of power", len(disks))
	}
	for i, d := range disks {
		s, r := openStore(t, d.disk, 2)
		if len(r.Fenced) != 0 || r.Kept != "" {
			t.Fatalf("%d: taken for damage: %+v", i, r)
		}
		for n := range ls {
			l := s.Log(testID(n))
			if l == nil || l.HighWatermark() < d.acked[n] {
				t.Fatalf("%d: log %d: %d were acknowledged, it is %+v", i, n, d.acked[n], l)
			}
			for _, v := range values(t, l, 100<<10) {
				var at, m, j int
				if _, err := fmt.Sscanf(v, "%d=%d/%d ", &at, &m, &j); err != nil || m != n || j != at {
					t.Fatalf("%d: log %d: %.60s", i, n, v)
				}
			}
		}
		s.Abandon()
	}
}

func TestCheckpointComesInTime(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, c := range []struct {
		what                                 string
		bytes, changed, bound, memory, wants int64
	}{
		{"few logs", 32 * mib, 10, 256 * mib, 128 * mib, 32 * mib},
		{"many", 32 * mib, 640, 256 * mib, 128 * mib, 60 * mib},
		{"so many that appends would wait for memory", 32 * mib, 10_000, 256 * mib, 128 * mib, 96 * mib},
		{"or for room in the log", 32 * mib, 10_000, 64 * mib, 1024 * mib, 32 * mib},
		{"little memory, whatever has changed", 32 * mib, 10, 256 * mib, 16 * mib, 12 * mib},
		{"and many logs", 32 * mib, 10_000, 256 * mib, 16 * mib, 12 * mib},
	} {
		if got := checkpointDue(c.bytes, c.changed, c.bound, c.memory); got != c.wants {
			t.Errorf("%s: after %d bytes, want %d", c.what, got, c.wants)
		}
	}
}
