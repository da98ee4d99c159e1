package work

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/proc"
	"github.com/leatdev/leat/bench/internal/raw"
)

// Values of a start.
const (
	// WALMB is what is to be read after a kill: Leat's write-ahead log as it lies on disk, in MB.
	WALMB = "wal_mb"
	// PerGiB is the time of a start after a kill per GiB of that, in seconds.
	PerGiB = "s_per_gib_of_wal"
	// LogMB is how much the broker has on disk.
	LogMB = "log_mb"
	// ServingMS is from the start until the end of every partition is told.
	ServingMS = "serving_ms"
)

// bigLogs are peers that hold a large log over many partitions. They are filled
// once, for the rows that need one.
type bigLogs struct {
	mu   sync.Mutex
	logs map[string]*bigLog
}

type bigLog struct {
	*peers.Running
	topic      string
	partitions int
	acked      int64
}

func newBigLogs() *bigLogs { return &bigLogs{logs: map[string]*bigLog{}} }

// of is the peer's log, running; filled with the bytes unless it is there already.
func (b *bigLogs) of(ctx context.Context, e *Env, p peers.Peer, bytes int64) (*bigLog, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.logs[p.Name]; l != nil {
		return l, nil
	}
	r, err := p.Start(ctx, e.Scratch, false)
	if err != nil {
		return nil, err
	}
	l := &bigLog{Running: r, partitions: e.Partitions}
	if err := l.prepare(ctx, e, bytes); err != nil {
		return nil, errors.Join(err, r.Remove())
	}
	b.logs[p.Name] = l
	return l, nil
}

// prepare makes the topic and fills it.
func (l *bigLog) prepare(ctx context.Context, e *Env, bytes int64) (err error) {
	began := time.Now()
	if l.topic, err = e.newTopic(ctx, l.Running, l.partitions, nil); err != nil || bytes == 0 {
		return err
	}
	made := time.Since(began)
	err = l.grow(ctx, bytes)
	e.Log("%s: %d partitions took %v, %d MiB in them %v", l.Name, l.partitions, made.Round(time.Millisecond), bytes>>20, (time.Since(began) - made).Round(time.Millisecond))
	return err
}

// grow writes about so many bytes more.
func (l *bigLog) grow(ctx context.Context, bytes int64) error {
	n, err := fill(ctx, l.Addr, l.topic, l.partitions, syncValue, bytes)
	l.acked += n
	return err
}

// check compares what was acked with what is there.
func (l *bigLog) check(ctx context.Context) error {
	return verify(ctx, l.Running, l.topic, l.partitions, l.acked)
}

// Remove ends the peers and removes their logs.
func (b *bigLogs) Remove() (err error) {
	for _, l := range b.logs {
		err = errors.Join(err, l.Running.Remove())
	}
	return err
}

// othersShare is the part of the large log that a peer gets which is slow to fill so
// many partitions; it is only beside, the goal is Leat's own.
const othersShare = 10

// startRow measures starts. The big log stays from one round to the next.
type startRow struct{ big *bigLogs }

// empty is the start on an empty directory.
func (s startRow) empty(ctx context.Context, e *Env, p peers.Peer) ([]Result, error) {
	r, err := p.Start(ctx, e.Scratch, false)
	if err != nil {
		return nil, err
	}
	res := started(r, "")
	return []Result{res}, r.Remove()
}

// started is the Result of a start.
func started(r *peers.Running, part string) Result {
	res := Result{Row: part, Client: "first answer to Metadata", Seconds: r.Ready.Seconds(), Values: map[string]float64{ReadyMS: r.Ready.Seconds() * 1e3}}
	if u, err := proc.Read(r.Pid()); err == nil { // it may have ended; the next request will tell
		res.BrokerCPU, res.RSS, res.PeakRSS = u.CPU.Seconds(), u.RSS, u.Peak
	}
	return res
}

// large is the start on the big log: after a clean stop, and after kill -9 under load.
func (s startRow) large(ctx context.Context, e *Env, p peers.Peer) (results []Result, err error) {
	size := e.BigLog
	if p.Compiles {
		size /= othersShare
	}
	l, err := s.big.of(ctx, e, p, size)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Stop()) }() // it is not to work beside the others
	if err := l.Stop(); err != nil {                    // it runs the first time
		return nil, err
	}
	if err := l.Again(ctx); err != nil {
		return nil, err
	}
	clean, err := l.served(ctx, "clean")
	if err != nil {
		return nil, err
	}
	if clean.Values[LogMB], err = diskUse(l.Dir, ""); err != nil {
		return nil, err
	}
	if err := l.check(ctx); err != nil {
		return nil, fmt.Errorf("after a clean stop: %w", err)
	}
	if err := l.killUnderLoad(ctx, e); err != nil {
		return nil, err
	}
	wal, err := diskUse(l.Dir, "wal")
	if err != nil {
		return nil, err
	}
	if err := l.Again(ctx); err != nil {
		return nil, err
	}
	killed, err := l.served(ctx, "kill")
	if err != nil {
		return nil, err
	}
	if wal > 0 {
		killed.Values[WALMB] = wal
		killed.Values[PerGiB] = killed.Values[ServingMS] / 1e3 / (wal * 1e6 / (1 << 30))
	}
	return []Result{clean, killed}, l.recount(ctx)
}

// served is the Result of a start, with the time until all partitions are served.
func (l *bigLog) served(ctx context.Context, part string) (Result, error) {
	c, err := raw.Dial(ctx, l.Addr)
	if err != nil {
		return Result{}, err
	}
	defer c.Close()
	err = until(ctx, createPatience, func() error {
		_, err := c.Ends(l.topic, l.partitions)
		return err
	})
	serving := time.Since(l.Began).Seconds() * 1e3
	res := started(l.Running, part)
	res.Values[ServingMS] = serving
	return res, err
}

// killUnderLoad ends the peer with SIGKILL while it takes batches.
func (l *bigLog) killUnderLoad(ctx context.Context, e *Env) error {
	done := make(chan error, 1)
	go func() { done <- l.grow(ctx, 1<<50) }()
	select {
	case err := <-done:
		return fmt.Errorf("load before the kill: %w", err)
	case <-time.After(e.Window / 2):
	}
	l.Kill()
	if err := <-done; err == nil {
		return errors.New("the load went on after the kill")
	}
	return nil
}

// recount asks for the ends after a kill: whatever was acked must be there; of
// what was in flight some may be.
func (l *bigLog) recount(ctx context.Context) error {
	var sum int64
	err := until(ctx, createPatience, func() error {
		c, err := raw.Dial(ctx, l.Addr)
		if err != nil {
			return err
		}
		defer c.Close()
		ends, err := c.Ends(l.topic, l.partitions)
		sum = 0
		for _, n := range ends {
			sum += n
		}
		return err
	})
	if err != nil {
		return err
	}
	if sum < l.acked {
		return fmt.Errorf("%d records were acked before the kill, %d are there", l.acked, sum)
	}
	l.acked = sum
	return nil
}

// diskUse is what the files below a folder of dir take on disk, in MB; of all for
// the folder "". A folder that is not there takes nothing.
func diskUse(dir, folder string) (float64, error) {
	var bytes int64
	err := filepath.WalkDir(filepath.Join(dir, folder), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			bytes += info.Sys().(*syscall.Stat_t).Blocks * 512 // Kafka's indexes are larger than what they take
		}
		return err
	})
	return float64(bytes) / 1e6, err
}
