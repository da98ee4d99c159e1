package worker

import (
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// errGivenUp says that a write was given up because the worker stops.
var errGivenUp = errors.New("given up: the worker stops")

// byKey as a record's partition asks for Kafka's own partitioner.
const byKey = -1

// partitioner obeys the partition that the worker wrote into a record, modulo the
// topic's count, and else partitions as Kafka's clients do (murmur2 of the key).
func partitioner() kgo.Partitioner {
	keyed := kgo.StickyKeyPartitioner(nil)
	return partitionerFunc(func(topic string) kgo.TopicPartitioner {
		return &addressed{byKey: keyed.ForTopic(topic)}
	})
}

type partitionerFunc func(topic string) kgo.TopicPartitioner

func (f partitionerFunc) ForTopic(topic string) kgo.TopicPartitioner { return f(topic) }

type addressed struct{ byKey kgo.TopicPartitioner }

func (a *addressed) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || a.byKey.RequiresConsistency(r)
}

// OnNewBatch lets records without a key move on to another partition.
func (a *addressed) OnNewBatch() {
	if b, ok := a.byKey.(kgo.TopicPartitionerOnNewBatch); ok {
		b.OnNewBatch()
	}
}

func (a *addressed) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition) % n
	}
	return a.byKey.Partition(r, n)
}

// produceTrouble counts writes that wait to be tried again. While there are any no
// new calls are made: their results could not be written either.
type produceTrouble struct {
	waits int
	since time.Time
	err   error
	next  time.Time
}

func (t *produceTrouble) waiting() bool { return t.waits > 0 }

func (t *produceTrouble) begin(err error, next, now time.Time) {
	if t.waits == 0 {
		t.since = now
	}
	t.waits++
	t.err, t.next = err, next
}

func (t *produceTrouble) end() { t.waits-- }

// produceAll writes records and calls then once: with nil when all of them are
// acknowledged, with an error when the broker will never take one of them, with
// errGivenUp when the worker stops first. All other errors are waited out. then
// must not block.
func (w *Worker) produceAll(records []*kgo.Record, then func(error)) {
	w.produceTry(records, 0, then)
}

func (w *Worker) produceTry(records []*kgo.Record, try int, then func(error)) {
	if len(records) == 0 {
		then(nil)
		return
	}
	g := &produceGroup{w: w, left: len(records), try: try, then: then}
	for _, r := range records {
		if err := w.limits.learn(w.work, w.cl, r.Topic); err != nil {
			g.acked(r, err)
			continue
		}
		w.cl.Produce(w.work, r, g.acked)
	}
}

// produceGroup gathers the answers to the records of one outcome.
type produceGroup struct {
	w    *Worker
	try  int
	then func(error)

	mu      sync.Mutex
	left    int
	again   []*kgo.Record // to be tried again, because of trouble
	trouble error
	refused error
	givenUp bool
}

func (g *produceGroup) acked(r *kgo.Record, err error) {
	g.mu.Lock()
	switch {
	case err == nil:
	case g.w.work.Err() != nil || errors.Is(err, kgo.ErrClientClosed):
		g.givenUp = true
	case recordRefused(err):
		g.refused = err
	default:
		g.again = append(g.again, r)
		g.trouble = err
	}
	g.left--
	last := g.left == 0
	g.mu.Unlock()
	if !last {
		return
	}
	switch {
	case g.givenUp:
		g.then(errGivenUp)
	case g.refused != nil:
		g.then(g.refused)
	case g.trouble != nil:
		g.w.waitOutProduce(g.trouble, g.try, func() { g.w.produceTry(g.again, g.try+1, g.then) }, g.then)
	default:
		g.then(nil)
	}
}

// waitOutProduce calls again after the try's back-off, or then with errGivenUp when
// the worker stops. It does not block.
func (w *Worker) waitOutProduce(err error, try int, again func(), then func(error)) {
	wait := w.cfg.Retry.backoff(try)
	now := time.Now()
	w.mu.Lock()
	w.meter.failure(err, now)
	if !w.produce.waiting() {
		w.cfg.Logger.Warn("worker pauses", "group", w.cfg.Group, "reason", string(PauseProduce), "error", err)
	}
	w.produce.begin(err, now.Add(wait), now)
	w.mu.Unlock()
	w.calls.Go(func() {
		sleep(w.work, wait)
		w.mu.Lock()
		w.produce.end()
		w.mu.Unlock()
		w.kick()
		if w.work.Err() != nil {
			then(errGivenUp)
			return
		}
		again()
	})
}

// recordRefused tells the errors that will meet this record whenever it is written.
func recordRefused(err error) bool {
	for _, e := range []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
