package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

const writers = 4

// leat runs a command of the program.
func leat(t *testing.T, args ...string) (string, error) {
	out, err := exec.CommandContext(t.Context(), leatproc.Build(t, "./cmd/leat"), args...).CombinedOutput()
	return string(out), err
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// load produces, each writer to its own partition, until stop; acked counts what was
// acknowledged, in order.
func load(t *testing.T, addr string, acked *[writers]atomic.Int64) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range writers {
		cl := client(t, addr, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		wg.Go(func() {
			for n := int64(0); ctx.Err() == nil; n++ {
				value := fmt.Sprintf("%d/%d ", w, n) + strings.Repeat("x", int(n%13)*200)
				if n%40 == 39 {
					value += strings.Repeat("large", 40<<10) // straight to its segment
				}
				if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "in", Partition: int32(w), Value: []byte(value)}).FirstErr(); err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				acked[w].Store(n + 1)
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// counts reads all that a server has and returns how many records of each writer
// there are; they must be those from the first on, without a gap or a repeat.
func counts(t *testing.T, addr string) (n [writers]int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(client(t, addr)).ListEndOffsets(ctx, "in")
	if err != nil {
		t.Fatal(err)
	}
	var want, got int64
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	cl := client(t, addr, kgo.ConsumeTopics("in"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for got < want {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d: %v", got, want, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			got++
			name, _, _ := strings.Cut(string(r.Value), " ")
			who, which, _ := strings.Cut(name, "/")
			w, err1 := strconv.Atoi(who)
			i, err2 := strconv.ParseInt(which, 10, 64)
			if err1 != nil || err2 != nil || int32(w) != r.Partition || i != r.Offset || i != n[w] {
				t.Fatalf("partition %d offset %d is %.40q, after %d of that writer", r.Partition, r.Offset, r.Value, n[w])
			}
			n[w]++
		})
	}
	return n
}

func TestBackupsOfABusyServerAndAKill(t *testing.T) {
	dir := t.TempDir()
	web := leatproc.FreeAddr(t)
	s := leatproc.Serve(t, "--http", web, "--backup-dir", dir, "-c", "num.partitions="+fmt.Sprint(writers))
	leatproc.Until(t, 10*time.Second, "topic in", func() error {
		_, err := kadm.NewClient(client(t, s.Addr)).CreateTopic(t.Context(), writers, 1, map[string]*string{"segment.bytes": ptr("1048576")}, "in")
		return err
	})
	var acked [writers]atomic.Int64
	stop := load(t, s.Addr, &acked)
	var before [3][writers]int64
	for round := range before {
		leatproc.Until(t, time.Minute, "records", func() error {
			for w := range acked {
				if err := leatproc.Atleast(int(acked[w].Load()), 60*(round+1)); err != nil {
					return err
				}
			}
			return nil
		})
		for w := range acked {
			before[round][w] = acked[w].Load()
		}
		if out, err := leat(t, "backup", "--server", web, fmt.Sprint("round-", round)); err != nil {
			t.Fatalf("backup %d: %v\n%s", round, err, out)
		}
	}
	stop()

	// The server dies while it makes one more, as soon as anything of it can be seen.
	ended := make(chan error, 1)
	go func() { _, err := leat(t, "backup", "--server", web, "killed"); ended <- err }()
	leatproc.Until(t, time.Minute, "the last backup's beginning", func() error {
		_, err1 := os.Stat(filepath.Join(dir, "killed.tmp"))
		_, err2 := os.Stat(filepath.Join(dir, "killed"))
		if err1 != nil && err2 != nil {
			return err1
		}
		return nil
	})
	s.Kill()
	if err := s.Wait(10 * time.Second); err == nil {
		t.Error("killed, and it ended well")
	}
	if err := <-ended; err == nil {
		t.Log("the backup was done before the kill")
	} else if _, err := os.Stat(filepath.Join(dir, "killed")); !errors.Is(err, os.ErrNotExist) {
		t.Log("the backup was there before its answer")
	} else if out, err := leat(t, "restore", filepath.Join(dir, "killed.tmp"), filepath.Join(t.TempDir(), "x")); err == nil {
		t.Errorf("half a backup was restored:\n%s", out)
	}
	s.Start(t)
	if out, err := leat(t, "backup", "--server", web, "afterwards"); err != nil {
		t.Fatalf("after the kill: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(s.Data, "backup.tmp")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the killed backup held is still there: %v", err)
	}
	all := counts(t, s.Addr)
	s.Stop(t)

	for round := range before {
		to := filepath.Join(t.TempDir(), "restored")
		if out, err := leat(t, "restore", filepath.Join(dir, fmt.Sprint("round-", round)), to); err != nil {
			t.Fatalf("restore %d: %v\n%s", round, err, out)
		}
		r := leatproc.New(t, "./cmd/leat", to)
		r.Start(t)
		got := counts(t, r.Addr)
		r.Stop(t)
		for w := range got {
			if got[w] < before[round][w] || got[w] > all[w] {
				t.Errorf("backup %d has %d records of writer %d; %d were acknowledged before it, %d in the end", round, got[w], w, before[round][w], all[w])
			}
		}
		if out, err := leat(t, "doctor", "--verify", to); err != nil {
			t.Errorf("what was restored is not whole: %v\n%s", err, out)
		}
	}
}

func ptr(s string) *string { return &s }
