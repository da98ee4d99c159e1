package plog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// messy writes a log with much to compact.
func messy(k *keyed, rng *rand.Rand, batches int) {
	for range batches {
		var kvs []string
		for range 1 + rng.IntN(6) {
			kv := fmt.Sprint("key", rng.IntN(25))
			if rng.IntN(6) > 0 {
				kv += "=" + strings.Repeat("v", rng.IntN(60)) + fmt.Sprint(len(k.sent))
			}
			kvs = append(kvs, kv)
		}
		k.put(kvs...)
	}
	k.fill()
}

// Power is lost, or the process killed, before every single change that a
// compaction makes to the disk. Whatever is there then opens, reads like the
// plain account, has no file too many, and can be compacted.
func TestCompactCrashAtEveryStep(t *testing.T) {
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	k := newKeyed(t, faulty, compactConfig())
	rng := rand.New(rand.NewPCG(1, 9))
	messy(k, rng, 60)
	k.compact()
	messy(k, rng, 60) // so that it goes over compacted segments, too
	var disks []*vfs.Mem
	var steps []string
	faulty.Hook(func(op vfs.Op, name string) {
		if op&vfs.OpChange == 0 {
			return
		}
		steps = append(steps, name)
		n := uint64(len(steps))
		disks = append(disks, mem.Crash(vfs.KeepNone, n), mem.Crash(vfs.KeepSome, n), mem.Crash(vfs.KeepSome, n+1000), mem.Crash(vfs.KeepAll, n), mem.Kill())
	})
	k.compact()
	faulty.Hook(nil)
	disks = append(disks, mem.Crash(vfs.KeepNone, 0))
	if len(steps) < 20 {
		t.Fatalf("compaction changed the disk in %d steps only: %q", len(steps), steps)
	}
	k.check()
	want := k.wantState()
	for i, disk := range disks {
		c := *k
		c.now = &atomic.Int64{}
		c.now.Store(k.now.Load())
		c.reopen(disk, compactConfig())
		if got := state(c.read(1 << 20)); !maps.Equal(got, want) {
			t.Fatalf("crash %d of %d (%q): a reader ends with %v, want %v", i, len(disks), steps[min(i/5, len(steps)-1)], got, want)
		}
		c.checkNames()
		if i%7 == 0 {
			c.compact()
			c.check()
			c.checkNames()
		}
		c.s.Abandon()
	}
}

// checkNames looks for files that no segment has, and segments without a file.
func (k *keyed) checkNames() {
	k.t.Helper()
	known := map[string]bool{}
	k.l.mu.RLock()
	for _, s := range k.l.segs {
		for suffix, size := range map[string]uint32{logSuffix: s.size, indexSuffix: s.index, timeSuffix: s.times} {
			if size > 0 {
				known[strings.TrimPrefix(s.file("", suffix), "/")] = true
			}
		}
	}
	k.l.mu.RUnlock()
	for _, name := range k.files() {
		if !known[name] {
			k.t.Errorf("nobody knows the file %s", name)
		}
		delete(known, name)
	}
	for name := range known {
		k.t.Errorf("the file %s is missing", name)
	}
}

// Any single failing operation leaves a log that reads as before, also when the
// power goes then; when the disk is well again, the compaction goes through.
func TestCompactFailsAtEveryStep(t *testing.T) {
	for _, cause := range []error{syscall.EIO, vfs.ErrNoSpace} {
		for at := 0; ; at++ {
			mem := vfs.NewMem()
			faulty := vfs.NewFaulty(mem)
			k := newKeyed(t, faulty, compactConfig())
			messy(k, rand.New(rand.NewPCG(2, 9)), 40)
			// The write-ahead log makes its next file when it likes to.
			faulty.Add(vfs.Rule{Op: ^vfs.Op(0), Name: "*.wal"})
			faulty.Add(vfs.Rule{Op: ^vfs.Op(0), Name: "wal"})
			rule := faulty.Add(vfs.Rule{Op: vfs.OpChange | vfs.OpRead | vfs.OpOpen, After: at, Times: 1, Err: cause})
			_, err := k.s.Compact(context.Background(), k.l)
			struck := faulty.Hits(rule) > 0
			faulty.Clear()
			if struck != (err != nil) {
				t.Fatalf("fault %d: struck %v, compaction says %v", at, struck, err)
			}
			if err != nil && !errors.Is(err, cause) {
				t.Fatalf("fault %d: %v", at, err)
			}
			if got, want := state(k.read(1<<20)), k.wantState(); !maps.Equal(got, want) {
				t.Fatalf("fault %d: a reader ends with %v, want %v", at, got, want)
			}
			for seed, keep := range []vfs.Keep{vfs.KeepNone, vfs.KeepSome, vfs.KeepSome, vfs.KeepAll} {
				c := *k
				c.reopen(mem.Crash(keep, uint64(seed)), compactConfig())
				if got, want := state(c.read(1<<20)), k.wantState(); !maps.Equal(got, want) {
					t.Fatalf("fault %d, then crash %d: a reader ends with %v, want %v", at, seed, got, want)
				}
				c.checkNames()
				c.s.Abandon()
			}
			if k.s.Err() == nil {
				for k.now.Add(restAfterError.Milliseconds()); ; {
					c, err := k.s.CompactNext(context.Background())
					if err != nil {
						t.Fatalf("after fault %d: %v", at, err)
					}
					if c == nil {
						break
					}
				}
				k.compact()
				k.check()
				k.checkNames()
			}
			k.s.Abandon()
			if !struck {
				if at < 30 {
					t.Errorf("only %d operations could fail", at)
				}
				break
			}
		}
	}
}

// Readers meet compactions at every point and see the same all the time.
func TestCompactUnderReaders(t *testing.T) {
	k := newKeyed(t, vfs.NewMem(), compactConfig())
	rng := rand.New(rand.NewPCG(4, 9))
	messy(k, rng, 50)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	read := make(chan struct{}, 1)
	want := k.wantState()
	delete(want, "filler") // is written again all the time
	end := k.l.HighWatermark()
	for n := range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if have := state(k.readTo(200<<(3*n), end)); !maps.Equal(have, want) {
					t.Errorf("a reader ends with %v, want %v", have, want)
					return
				}
				select {
				case read <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 15 {
		select {
		case <-read:
		case <-time.After(time.Minute):
			t.Fatal("no reader gets through")
		}
		k.put("filler=" + strings.Repeat("f", 3000))
		k.checkpoint()
		k.compact()
	}
	close(stop)
	wg.Wait()
	k.s.Abandon()
}

// readTo reads all but the filler below an offset.
func (k *keyed) readTo(maxBytes int, end int64) map[int64]sentRecord {
	out := map[int64]sentRecord{}
	for at := k.l.Start(); at < end; {
		buf, err := k.l.Read(at, maxBytes, true)
		if err != nil || len(buf) == 0 {
			k.t.Errorf("read at %d: %d bytes, %v", at, len(buf), err)
			return nil
		}
		for len(buf) > 0 {
			b, rest, err := kafka.NextBatch(buf)
			if err != nil {
				k.t.Error(err)
				return nil
			}
			for r, err := range b.Records(1 << 20) {
				if err != nil {
					k.t.Error(err)
					return nil
				}
				if string(r.Key) != "filler" && r.Offset < end {
					out[r.Offset] = sentRecord{string(r.Key), string(r.Value), r.Value == nil}
				}
			}
			at, buf = b.NextOffset(), rest
		}
	}
	return out
}

// What retention or a deletion takes while a compaction copies it does not come
// back.
func TestCompactMeetsRetentionAndDeletion(t *testing.T) {
	var faulty *vfs.Faulty
	for _, c := range []struct {
		name string
		do   func(k *keyed)
	}{
		{"all of it trimmed", func(k *keyed) {
			mustSubmit(k.t, k.s, SetStart(k.l, k.l.End()))
			k.s.tidy()
		}},
		{"a part trimmed", func(k *keyed) {
			mustSubmit(k.t, k.s, SetStart(k.l, k.l.End()/2))
			k.s.tidy()
		}},
		{"deleted", func(k *keyed) {
			mustSubmit(k.t, k.s, Delete(k.l))
			k.s.tidy()
		}},
		{"deleted, but a new file kept the directory from going", func(k *keyed) {
			faulty.Add(vfs.Rule{Op: vfs.OpRemove, Name: "1", Times: 1, Err: syscall.ENOTEMPTY})
			mustSubmit(k.t, k.s, Delete(k.l))
			k.s.tidy()
		}},
	} {
		for _, op := range []vfs.Op{vfs.OpRead, vfs.OpWrite, vfs.OpSync, vfs.OpSyncDir} {
			mem := vfs.NewMem()
			faulty = vfs.NewFaulty(mem)
			k := newKeyed(t, faulty, compactConfig())
			messy(k, rand.New(rand.NewPCG(5, 9)), 40)
			var once sync.Once
			done := false
			faulty.Hook(func(o vfs.Op, name string) {
				if o == op && strings.Contains(name, "logs/") {
					once.Do(func() {
						faulty.Hook(nil)
						c.do(k)
						done = true
					})
				}
			})
			if _, err := k.s.Compact(context.Background(), k.l); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if !done {
				t.Fatalf("%s: nothing happened during the compaction", c.name)
			}
			k.checkpoint()
			k.s.tidy()
			if k.s.Log(k.l.ID()) == nil {
				if _, err := mem.Stat(k.l.dir()); !isNotExist(err) {
					t.Errorf("%s: the directory is still there: %v", c.name, err)
				}
			} else {
				k.check()
				k.checkNames()
			}
			k.s.Abandon()
		}
	}
}

// Damage is not copied into a new file under a fresh checksum.
func TestCompactStopsAtDamage(t *testing.T) {
	mem := vfs.NewMem()
	k := newKeyed(t, mem, compactConfig())
	messy(k, rand.New(rand.NewPCG(6, 9)), 40)
	f, err := mem.Open(k.l.segs[0].file(k.l.dir(), logSuffix))
	if err != nil {
		t.Fatal(err)
	}
	b := []byte{0}
	if _, err := f.ReadAt(b, 100); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, 100); err != nil {
		t.Fatal(err)
	}
	before := k.files()
	if _, err := k.s.Compact(context.Background(), k.l); !errors.Is(err, errDamagedSegment) {
		t.Fatalf("%v", err)
	}
	if after := k.files(); len(after) != len(before) {
		t.Errorf("files were %q, are %q", before, after)
	}
	if c, err := k.s.CompactNext(context.Background()); c != nil || err != nil {
		t.Errorf("the damaged log was tried again: %+v, %v", c, err)
	}
}

// A log that cannot be compacted for now does not keep the others waiting.
func TestCompactNextGoesOnAfterAnError(t *testing.T) {
	faulty := vfs.NewFaulty(vfs.NewMem())
	k := newKeyed(t, faulty, compactConfig())
	messy(k, rand.New(rand.NewPCG(9, 9)), 40) // all dirty: the first to be taken
	other := mustSubmit(t, k.s, Create(testID(2), "other", compactConfig()))[0].Log
	for range 3 {
		mustSubmit(t, k.s, Append(other, kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Key: []byte("k"), Value: make([]byte, 1900)}})))
	}
	k.checkpoint()
	cfg := other.Config()
	cfg.MinCleanableRatio = 0.1
	other.SetConfig(cfg)
	faulty.Add(vfs.Rule{Op: vfs.OpOpen | vfs.OpRead, Name: k.l.dir() + "/*", Err: syscall.EIO})
	next := func() (*Log, error) {
		c, err := k.s.CompactNext(context.Background())
		if c == nil {
			return nil, err
		}
		return c.Log, err
	}
	var failed, done int
	for range 3 {
		switch l, err := next(); {
		case l == k.l && errors.Is(err, syscall.EIO):
			failed++
		case l == other && err == nil:
			done++
		case l != nil || err != nil:
			t.Fatal(l, err)
		}
	}
	if failed != 1 || done != 1 {
		t.Errorf("%d failed, %d compacted", failed, done)
	}
	faulty.Clear()
	if l, err := next(); l != nil || err != nil {
		t.Error("it does not rest", err)
	}
	k.now.Add(restAfterError.Milliseconds())
	if l, err := next(); l != k.l || err != nil {
		t.Error("it rests for ever", err)
	}
	k.check()
}

func TestCompactCanBeCancelled(t *testing.T) {
	faulty := vfs.NewFaulty(vfs.NewMem())
	k := newKeyed(t, faulty, compactConfig())
	messy(k, rand.New(rand.NewPCG(7, 9)), 40)
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("stop")
	faulty.Hook(func(op vfs.Op, name string) {
		if op == vfs.OpCreate {
			cancel(reason)
		}
	})
	if _, err := k.s.Compact(ctx, k.l); !errors.Is(err, reason) {
		t.Errorf("%v", err)
	}
	k.check()
	k.checkNames()
}

// Compaction leaves the disk's reserve to commits and deletes.
func TestCompactKeepsTheReserve(t *testing.T) {
	mem := vfs.NewMem()
	k := newKeyed(t, mem, compactConfig())
	messy(k, rand.New(rand.NewPCG(8, 9)), 40)
	mem.SetSpace(mem.Used() + 1000)
	if _, err := k.s.Compact(context.Background(), k.l); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("%v", err)
	}
	k.check()
	mem.SetSpace(1 << 40)
	k.compact()
	k.check()
}
