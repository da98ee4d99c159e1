package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Worker runs a Handler over topics. Make it with New, run it once with Run.
type Worker struct {
	cfg     Config
	pollMax int // most records of one poll
	meter   *meter
	limits  limits

	stop     chan struct{} // closed by Stop
	stopOnce sync.Once
	done     chan struct{} // closed when Run has returned

	cl    *kgo.Client
	ready chan struct{} // closed when cl is set; the client's callbacks wait for it
	// work ends when calls and writes are to be given up.
	work     context.Context
	giveUp   context.CancelFunc
	wake     chan struct{} // something changed for the dispatcher
	commitCh chan struct{} // something can be committed
	commitMu sync.Mutex    // one commit at a time
	calls    sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond // signalled when messages settle or room is made
	state   State
	parts   map[topicPartition]*partition
	fresh   map[string]bool // topics of which the group had committed nothing
	queue   *queue
	breaker breaker
	running int // calls out
	produce produceTrouble
	fatal   error
	failed  chan struct{} // closed with the first fatal error

	complained time.Time // when a failure to read was last logged; of poll alone

	settlements []settlement
	settlerDone bool
}

// New checks cfg and fills in its defaults. It opens no connection.
func New(cfg Config) (*Worker, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("worker %s: %w", cfg.Group, err)
	}
	w := &Worker{
		cfg:      cfg,
		pollMax:  max(1, min(1024, cfg.MaxInFlight/4)),
		meter:    newMeter(cfg.Group),
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
		ready:    make(chan struct{}),
		wake:     make(chan struct{}, 1),
		commitCh: make(chan struct{}, 1),
		state:    StateNew,
		parts:    map[topicPartition]*partition{},
		fresh:    map[string]bool{},
		queue:    newQueue(cfg.Order),
		breaker:  breaker{retry: cfg.Retry},
		failed:   make(chan struct{}),
	}
	w.changed = sync.NewCond(&w.mu)
	return w, nil
}

// Run joins the group and works until ctx ends or Stop is called (it then drains:
// no new calls, those in flight finish within Config.DrainTimeout, results are
// flushed, offsets committed, the group left; the error is nil), or until
// something makes going on wrong: a failure of class Fatal, a *RetentionError, a
// dead letter that cannot be written, a handler that breaks its contract. Messages
// in flight then drain, too, and Run returns the reason. Run may be called once.
func (w *Worker) Run(ctx context.Context) error {
	w.mu.Lock()
	if w.state != StateNew {
		w.mu.Unlock()
		return errors.New("worker: Run was called before; make a new worker with New")
	}
	w.state = StateRunning
	w.mu.Unlock()
	defer close(w.done)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-w.stop:
		case <-w.failed:
		case <-ctx.Done():
		}
		cancel()
	}()
	err := w.run(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = StateStopped
	if w.fatal != nil {
		return fmt.Errorf("worker %s: %w", w.cfg.Group, w.fatal)
	}
	return err
}

// run is Run between its first and its last change of state. When ctx ends it
// drains.
func (w *Worker) run(ctx context.Context) error {
	if err := w.prepareOffsets(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("worker %s: %w", w.cfg.Group, err)
	}
	// Calls and writes outlive ctx: they drain.
	w.work, w.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	defer w.giveUp()
	cl, err := kgo.NewClient(w.clientOpts()...)
	if err != nil {
		return fmt.Errorf("worker %s: making the Kafka client: %w", w.cfg.Group, err)
	}
	w.cl = cl
	close(w.ready)

	var loops sync.WaitGroup
	loops.Go(func() { w.dispatch(w.work) })
	loops.Go(func() { w.commitLoop(w.work) })
	loops.Go(w.settler)
	w.poll(ctx)

	w.mu.Lock()
	w.state = StateDraining
	w.mu.Unlock()
	w.drainAll()
	w.giveUp()
	w.mu.Lock()
	w.settlerDone = true
	w.changed.Broadcast()
	w.mu.Unlock()
	// Leaving the group calls onRevoked, which finds everything drained.
	w.cl.CloseAllowingRebalance()
	loops.Wait()
	w.calls.Wait()
	return nil
}

// Stop asks Run to drain and waits until it has returned or ctx ends. It may be
// called from anywhere but the worker's own callbacks, more than once. A worker that
// was never run has nothing to stop.
func (w *Worker) Stop(ctx context.Context) error {
	w.stopOnce.Do(func() { close(w.stop) })
	w.mu.Lock()
	never := w.state == StateNew
	w.mu.Unlock()
	if never {
		return nil
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("worker %s: still draining: %w", w.cfg.Group, ctx.Err())
	}
}

// fail ends Run with an error; the first one counts.
func (w *Worker) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failLocked(err)
}

func (w *Worker) failLocked(err error) {
	w.meter.failure(err, time.Now())
	if w.fatal == nil {
		w.fatal = err
		close(w.failed)
		w.cfg.Logger.Error("worker stops", "group", w.cfg.Group, "error", err)
	}
}

// broadcast wakes whoever waits for messages to settle or for room.
func (w *Worker) broadcast() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed.Broadcast()
}

// kick wakes the dispatcher.
func (w *Worker) kick() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// poll reads until ctx ends. While every partition is full it does not poll at all:
// the client then keeps what it has fetched, where pausing would drop it.
func (w *Worker) poll(ctx context.Context) {
	stopWaking := context.AfterFunc(ctx, w.broadcast)
	defer stopWaking()
	for w.waitForRoom(ctx) {
		fetches := w.cl.PollRecords(ctx, w.pollMax)
		if ctx.Err() != nil {
			// Records that came with the end were added to no tracker, so they are
			// read again by whoever comes next.
			w.cl.AllowRebalance()
			return
		}
		trouble := w.fetchErrors(ctx, fetches)
		now := time.Now()
		w.mu.Lock()
		fetches.EachPartition(func(ftp kgo.FetchTopicPartition) {
			p := w.parts[topicPartition{ftp.Topic, ftp.Partition}]
			if p == nil || p.draining {
				return
			}
			for _, r := range ftp.Records {
				p.add(r, now)
			}
		})
		w.mu.Unlock()
		// Callbacks of a rebalance wait for this, so no partition can go between
		// the poll and the add.
		w.cl.AllowRebalance()
		w.kick()
		if trouble {
			sleep(ctx, w.cfg.Retry.Min)
		}
	}
}

// waitForRoom waits until some partition may be fetched from, or none is assigned
// (polling then waits for one), and pauses those that are full. It returns false
// when ctx has ended.
func (w *Worker) waitForRoom(ctx context.Context) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ctx.Err() == nil && w.allFull() {
		w.changed.Wait()
	}
	for _, p := range w.parts {
		if !p.paused && p.full() {
			p.paused = true
			w.cl.PauseFetchPartitions(map[string][]int32{p.topic: {p.num}})
		}
	}
	return ctx.Err() == nil
}

func (w *Worker) allFull() bool {
	for _, p := range w.parts {
		if !p.full() {
			return false
		}
	}
	return len(w.parts) > 0
}

// resumeRoomy fetches again from partitions that were full.
func (w *Worker) resumeRoomy() {
	for _, p := range w.parts {
		if p.paused && p.roomy() {
			p.paused = false
			w.cl.ResumeFetchPartitions(map[string][]int32{p.topic: {p.num}})
		}
	}
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
