package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Config is one measurement. Fields that a kind of measurement does not read
// are named there.
type Config struct {
	// Dial returns a new connected client; the measurement closes it. Producers
	// are given acks, compression and linger through it.
	Dial func(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error)
	// Topic is created with Partitions and the broker's default replication if
	// it is not there, and left there.
	Topic      string
	Partitions int32
	// Size of a record's value in bytes.
	Size int
	// Records to measure; 0 means that Duration ends it.
	Records  int64
	Duration time.Duration
	// Warmup comes before, with the same load, and is not measured.
	Warmup time.Duration
	// Producers is how many clients produce at once, each on its own connection.
	Producers int
	// Sync makes each producer wait for the ack of a record before the next.
	Sync bool
	// Rate is records per second of Latency, over all.
	Rate float64
	// ServerPID is the process whose CPU and memory are read; 0 for none.
	ServerPID int
	// Progress, if set, is called about once a second with the records so far.
	Progress func(records int64)
}

// Result is what was measured.
type Result struct {
	Kind             string     `json:"kind"`
	Topic            string     `json:"topic"`
	Records          int64      `json:"records"`
	Failed           int64      `json:"failed"`
	Bytes            int64      `json:"bytes"` // of values
	Seconds          float64    `json:"seconds"`
	RecordsPerSecond float64    `json:"recordsPerSecond"`
	MBPerSecond      float64    `json:"mbPerSecond"` // 10^6 bytes of values
	AckLatency       *Quantiles `json:"ackLatencyMs,omitempty"`
	EndToEnd         *Quantiles `json:"endToEndMs,omitempty"`
	Client           *Usage     `json:"client,omitempty"`
	Server           *Usage     `json:"server,omitempty"`
	// Error is the first failure of a record.
	Error string `json:"error,omitempty"`
}

// finish fills in the rates.
func (r *Result) finish(elapsed time.Duration) {
	r.Seconds = elapsed.Seconds()
	if r.Seconds > 0 {
		r.RecordsPerSecond = float64(r.Records) / r.Seconds
		r.MBPerSecond = float64(r.Bytes) / 1e6 / r.Seconds
	}
}

// ensureTopic creates the topic if it is not there.
func (c Config) ensureTopic(ctx context.Context, cl *kgo.Client) error {
	resp, err := kadm.NewClient(cl).CreateTopic(ctx, c.Partitions, -1, nil, c.Topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) && resp.Topic == "" {
		return err
	}
	if resp.Err != nil && !errors.Is(resp.Err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", c.Topic, resp.Err)
	}
	return nil
}

// values are records' values: windows into one block of random bytes, which no
// codec makes smaller, the same in every run.
type values struct {
	block []byte
	size  int
}

func newValues(size int) values {
	block := make([]byte, size+1<<16)
	r := rand.New(rand.NewPCG(20, 26))
	for i := range block {
		block[i] = byte(r.Uint32())
	}
	return values{block, size}
}

func (v values) at(i int64) []byte {
	from := int(i*61) % (len(v.block) - v.size + 1)
	return v.block[from : from+v.size : from+v.size]
}

// tally counts outcomes within the measured time. Its methods may be called
// from several goroutines.
type tally struct {
	mu        sync.Mutex
	measuring bool
	began     time.Time
	last      time.Time // of the last success
	ok        int64
	failed    int64
	bytes     int64
	first     error
	ack       Histogram
}

func (t *tally) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.measuring, t.began, t.last = true, now, now
}

func (t *tally) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.measuring = false
}

// add counts one record that was due at due, if that was within the measured
// time; a failure counts always.
func (t *tally) add(size int, due time.Time, err error) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.failed++
		if t.first == nil {
			t.first = err
		}
		return
	}
	if !t.measuring || due.Before(t.began) {
		return
	}
	t.ok++
	t.bytes += int64(size)
	t.last = now
	t.ack.Record(now.Sub(due))
}

func (t *tally) count() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ok
}

// result fills in what was counted; elapsed is 0 to take the time of the last success.
func (t *tally) result(r *Result, elapsed time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Records, r.Failed, r.Bytes = t.ok, t.failed, t.bytes
	if t.first != nil {
		r.Error = t.first.Error()
	}
	if t.ack.Count() > 0 {
		q := t.ack.Quantiles()
		r.AckLatency = &q
	}
	if elapsed == 0 {
		elapsed = t.last.Sub(t.began)
	}
	r.finish(elapsed)
}

// watch calls Progress about once a second until the returned stop is called.
func (c Config) watch(count func() int64) (stop func()) {
	if c.Progress == nil {
		return func() {}
	}
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.Progress(count())
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-over }
}

// wait returns when d has passed or ctx has ended.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
