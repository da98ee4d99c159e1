package work

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

// Env is what every row gets: where to work and how much.
type Env struct {
	// Scratch is the folder that every peer's data is below.
	Scratch string
	Sizes
	// Log tells of progress.
	Log    func(format string, args ...any)
	topics atomic.Int64
}

// Sizes is how long and how much is measured.
type Sizes struct {
	Window     time.Duration // of one measurement
	Warm       time.Duration // before it, not counted
	WarmBytes  int64         // written before the first measurement of a peer
	Follow     time.Duration // of the 1,000 partitions, after the first touch
	Partitions int           // of the row of 1,000 partitions
	LogBytes   int64         // of the log that is consumed
	BigLog     int64         // of the log that a start and growth are measured with
	Cheap      int           // partitions of the row of idle memory
	AfterLoad  time.Duration // until memory after load is read
	Queue      int           // messages that a queue is drained of
	Members    int           // of the group that is rebalanced
}

// Full is for a report, Smoke shows that everything works.
var (
	Full = Sizes{Window: 2 * time.Second, Warm: 300 * time.Millisecond, Follow: 10 * time.Second, Partitions: 1000,
		WarmBytes: 128 << 20, LogBytes: 512 << 20, BigLog: 10 << 30, Cheap: 10_000, AfterLoad: 60 * time.Second, Queue: 200_000, Members: 100}
	Smoke = Sizes{Window: 150 * time.Millisecond, Warm: 50 * time.Millisecond, Follow: 200 * time.Millisecond, Partitions: 40,
		WarmBytes: 8 << 20, LogBytes: 16 << 20, BigLog: 64 << 20, Cheap: 100, AfterLoad: 300 * time.Millisecond, Queue: 2000, Members: 5}
)

// Row is one workload.
type Row struct {
	Name string
	// About is a sentence for the list and the report.
	About string
	// Peers are the names of those that take part.
	Peers []string
	// Rounds bounds the rounds of some peers, those of "" all of them. Optional.
	Rounds map[string]int
	// Slow peers are left out of a smoke run: they take long to start.
	Slow []string
	// Fresh peers are started anew, on an empty directory, for each measurement.
	Fresh []string
	// Setup prepares a peer once, before the rounds; what it takes is not measured. Optional.
	Setup func(ctx context.Context, e *Env, r *peers.Running) error
	// Measure measures once. Results have Row set to a part ("" where there is one);
	// the caller adds the names of row and peer.
	Measure func(ctx context.Context, e *Env, r *peers.Running) ([]Result, error)
	// Teardown undoes Setup. Optional.
	Teardown func(ctx context.Context, e *Env, r *peers.Running) error
	// Bare measures the loops that bound the row; they are in turn with the peers. Optional.
	Bare func(ctx context.Context, e *Env) ([]Result, error)
	// Alone rows start the peer themselves, as often as they need; Measure is not used.
	Alone func(ctx context.Context, e *Env, p peers.Peer) ([]Result, error)
}

// Settle waits until everything that was written lies on disk, so that no row pays
// for the dirty pages of another.
func (e *Env) Settle() error {
	d, err := os.Open(e.Scratch)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("syncfs %s: %w", e.Scratch, err)
	}
	return nil
}

// DropCache makes the kernel forget the pages of every file below dir.
func (e *Env) DropCache(dir string) error {
	if err := e.Settle(); err != nil { // dirty pages stay
		return err
	}
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // the broker removed it meanwhile
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
}

// createPatience and deletePatience bound the waits for topics.
const (
	createPatience = 60 * time.Second
	deletePatience = 3 * time.Second
)

// newTopic makes a topic with a name of its own and waits for its leaders.
func (e *Env) newTopic(ctx context.Context, r *peers.Running, partitions int, configs map[string]string) (string, error) {
	topic := fmt.Sprintf("bench-%d", e.topics.Add(1))
	c, err := raw.Dial(ctx, r.Addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.CreateTopic(topic, partitions, configs); err != nil {
		return "", err
	}
	return topic, until(ctx, createPatience, func() error {
		if err := c.Leaders(topic, partitions); err != nil {
			return err
		}
		_, err := c.Ends(topic, partitions) // Kafka tells of leaders before they have heard of it
		return err
	})
}

// dropTopic deletes a topic and waits until its files are gone.
func (e *Env) dropTopic(ctx context.Context, r *peers.Running, topic string) error {
	c, err := raw.Dial(ctx, r.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.DeleteTopic(topic); err != nil {
		return err
	}
	// Kafka removes them some time after its answer. A broker that names its folders
	// otherwise is not waited for.
	err = until(ctx, deletePatience, func() error {
		for _, sep := range []string{"-", "."} {
			left, err := filepath.Glob(filepath.Join(r.Dir, "*", topic+sep+"*"))
			if err != nil {
				return err
			}
			if len(left) > 0 {
				return fmt.Errorf("%s is still there", left[0])
			}
		}
		return nil
	})
	if ctx.Err() == nil && err != nil {
		e.Log("%s: %v", r.Name, err)
		return nil
	}
	return err
}

// until asks again and again until ok says nil.
func until(ctx context.Context, within time.Duration, ok func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not after %v: %w", within, err)
		}
	}
}

// verify compares what was acked with the ends of the topic's partitions.
func verify(ctx context.Context, r *peers.Running, topic string, partitions int, acked int64) error {
	c, err := raw.Dial(ctx, r.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	ends, err := c.Ends(topic, partitions)
	if err != nil {
		return err
	}
	var sum int64
	for _, n := range ends {
		sum += n
	}
	if sum != acked {
		return fmt.Errorf("%d records were acked, the partitions of %s hold %d", acked, topic, sum)
	}
	return nil
}
