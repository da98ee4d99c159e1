package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// stampSize is the start of a record's value in Latency: which run it belongs
// to, and when it was due, in nanoseconds since the run began.
const stampSize = 16

// drainTimeout is how long Latency waits, after the last ack, for records that
// have not been read back.
const drainTimeout = 30 * time.Second

// Latency measures, at a fixed rate, how long records take from when they were
// due until their ack (AckLatency), and until a consumer has them (EndToEnd).
// It reads all of Config but Records, Producers and Sync; Size is at least 16.
//
// When the broker falls behind, the records queue in the client and their
// latency grows with the queue: that is what a user would see.
func Latency(ctx context.Context, c Config) (Result, error) {
	r := Result{Kind: "latency", Topic: c.Topic}
	if c.Rate <= 0 {
		return r, fmt.Errorf("rate %v: want more than 0 records per second", c.Rate)
	}
	c.Size = max(c.Size, stampSize)
	producer, err := c.Dial(ctx, kgo.DefaultProduceTopic(c.Topic), kgo.MaxBufferedRecords(1<<20))
	if err != nil {
		return r, err
	}
	defer producer.Close()
	if err := c.ensureTopic(ctx, producer); err != nil {
		return r, err
	}
	reader, err := c.startReader(ctx, producer)
	if err != nil {
		return r, err
	}
	defer reader.stop()

	sctx, stop := context.WithCancel(ctx)
	defer stop()
	run := latencyRun{conf: c, began: time.Now(), id: uint64(time.Now().UnixNano()), values: newValues(c.Size)}
	reader.begin(&run)
	var wg sync.WaitGroup
	wg.Go(func() {
		pace(sctx, run.began, c.Rate, func(i int64, due time.Time) { run.send(sctx, producer, i, due) })
	})

	wait(sctx, c.Warmup)
	m, err := startMeter(c.ServerPID)
	if err != nil {
		return r, err
	}
	// A moment ahead: nothing due from then on can be back before both sides know it.
	from := time.Now().Add(10 * time.Millisecond)
	run.tally.begin(from)
	reader.measure(from)
	unwatch := c.watch(run.tally.count)
	wait(sctx, time.Until(from.Add(c.Duration)))
	elapsed := time.Since(from)
	stop()
	err = m.stop(&r)
	wg.Wait()
	_ = producer.Flush(context.WithoutCancel(ctx)) // its failures are counted one by one
	unwatch()
	run.tally.result(&r, elapsed)
	e2e, missing := reader.finish(r.Records)
	r.EndToEnd = &e2e
	if missing > 0 {
		err = errors.Join(err, fmt.Errorf("%d acknowledged records were not read back within %v", missing, drainTimeout))
	}
	return r, err
}

// pace calls send at fixed times after began, rate times a second, until ctx
// ends. send is given the time it was due, however late it is called: a send
// that blocks does not move the times of those after it.
func pace(ctx context.Context, began time.Time, rate float64, send func(i int64, due time.Time)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := int64(0); ctx.Err() == nil; i++ {
		due := began.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		if ahead := time.Until(due); ahead > 0 {
			timer.Reset(ahead)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		}
		send(i, due)
	}
}

// latencyRun is one run of Latency.
type latencyRun struct {
	conf   Config
	id     uint64
	began  time.Time
	values values
	tally  tally
}

func (l *latencyRun) send(ctx context.Context, cl *kgo.Client, i int64, due time.Time) {
	value := append([]byte(nil), l.values.at(i)...)
	binary.BigEndian.PutUint64(value, l.id)
	binary.BigEndian.PutUint64(value[8:], uint64(due.Sub(l.began)))
	cl.Produce(context.WithoutCancel(ctx), &kgo.Record{Value: value}, func(r *kgo.Record, err error) {
		l.tally.add(len(r.Value), due, err)
	})
}

// due is when the record with this value was due; false if another run wrote it.
func (l *latencyRun) due(value []byte) (time.Time, bool) {
	if len(value) < stampSize || binary.BigEndian.Uint64(value) != l.id {
		return time.Time{}, false
	}
	return l.began.Add(time.Duration(binary.BigEndian.Uint64(value[8:]))), true
}
