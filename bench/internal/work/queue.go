package work

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/bench/internal/peers"
)

// queueValue is how long a message of the queue rows is, in bytes.
const queueValue = 100

// RecordsPerCPU is records per broker CPU second.
const RecordsPerCPU = "records_per_broker_cpu_s"

// queueRow drains what was queued before: by four share consumers on four
// partitions, and by one and four of them on one partition.
func queueRow(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
	if r.Protocol == peers.AMQP {
		res, err := drainAMQP(ctx, e, r, batchPartitions)
		res.Row = "drain"
		return []Result{res}, err
	}
	var all []Result
	for _, c := range []struct {
		part                  string
		partitions, consumers int
	}{{"drain", batchPartitions, batchPartitions}, {"one", 1, 1}, {"four", 1, 4}} {
		res, err := withTopic(ctx, e, r, c.partitions, nil, func(topic string) (Result, int64, error) {
			n, err := fill(ctx, r.Addr, topic, c.partitions, queueValue, int64(e.Queue)*queueValue)
			if err != nil {
				return Result{}, 0, err
			}
			res, err := drainShared(ctx, r, topic, n, c.partitions, c.consumers)
			return res, n, err
		})
		if err != nil {
			return all, fmt.Errorf("%s: %w", c.part, err)
		}
		res.Row = c.part
		all = append(all, res)
	}
	return all, nil
}

// fromStart makes a share group read what was there before it.
func fromStart(ctx context.Context, addr, group string) error {
	cl, err := newFranz(addr)
	if err != nil {
		return err
	}
	defer cl.Close()
	const ofGroup = 32 // the resource type of a group's configs
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = ofGroup, group
	set := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	set.Name, set.Value = "share.auto.offset.reset", kmsg.StringPtr("earliest")
	res.Configs = append(res.Configs, set)
	req.Resources = append(req.Resources, res)
	got, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, r := range got.Resources {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return fmt.Errorf("share.auto.offset.reset of group %s: %w", group, err)
		}
	}
	return nil
}

// drained is what the consumers of a queue have together.
type drained struct {
	want int64

	mu      sync.Mutex
	n       int64
	meter   meter
	failure error
	first   sync.Once
	over    chan struct{} // closed when all of it was had, or on a failure
	once    sync.Once
}

func newDrained(want int64) *drained { return &drained{want: want, over: make(chan struct{})} }

// begin starts the measurement with the first message: what it takes to join is
// a row of its own.
func (d *drained) begin(r *peers.Running) {
	d.first.Do(func() {
		m, err := begin(r)
		d.mu.Lock()
		d.meter = m
		d.mu.Unlock()
		if err != nil {
			d.fail(err)
		}
	})
}

func (d *drained) add(n int64) {
	d.mu.Lock()
	d.n += n
	done := d.n >= d.want
	d.mu.Unlock()
	if done {
		d.once.Do(func() { close(d.over) })
	}
}

func (d *drained) fail(err error) {
	d.mu.Lock()
	if d.failure == nil {
		d.failure = err
	}
	d.mu.Unlock()
	d.once.Do(func() { close(d.over) })
}

// result ends the measurement. More or less than was queued is an error.
func (d *drained) result() (Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure != nil {
		return Result{}, d.failure
	}
	res, err := d.meter.end()
	if err != nil {
		return Result{}, err
	}
	if d.n != d.want {
		return Result{}, fmt.Errorf("%d messages were queued, %d delivered", d.want, d.n)
	}
	res.rates(d.n, d.n*queueValue, d.n)
	if res.BrokerCPU > 0 {
		res.Values[RecordsPerCPU] = float64(d.n) / res.BrokerCPU
	}
	return res, nil
}

// shareConsumer is a member of a share group; acks that fail are failures.
func shareConsumer(addr, group, topic string, fail func(error)) (*kgo.Client, error) {
	return newFranz(addr, kgo.ShareGroup(group), kgo.ConsumeTopics(topic), kgo.ShareAckCallback(func(_ *kgo.Client, rs kgo.ShareAckResults) {
		if err := rs.Error(); err != nil {
			fail(fmt.Errorf("acknowledge: %w", err))
		}
	}))
}

// drainShared reads n records through a share group. It ends when every one of them
// was delivered and its acknowledgement was confirmed; afterwards the group must
// have nothing left.
func drainShared(ctx context.Context, r *peers.Running, topic string, n int64, partitions, consumers int) (Result, error) {
	group := "drain-" + topic
	if err := fromStart(ctx, r.Addr, group); err != nil {
		return Result{}, err
	}
	d := newDrained(n)
	var clients []*kgo.Client
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	for range consumers {
		cl, err := shareConsumer(r.Addr, group, topic, d.fail)
		if err != nil {
			return Result{}, err
		}
		defer cl.Close()
		clients = append(clients, cl)
		work.Go(func() {
			for ctx.Err() == nil {
				fetches := cl.PollFetches(ctx)
				if ctx.Err() != nil {
					return
				}
				if err := fetches.Err(); err != nil {
					d.fail(fmt.Errorf("consume: %w", err))
					return
				}
				if got := fetches.NumRecords(); got > 0 {
					d.begin(r)
					cl.MarkAcks(kgo.AckAccept, fetches.Records()...)
					d.add(int64(got))
				}
			}
		})
	}
	select {
	case <-d.over:
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	}
	for _, cl := range clients {
		if err := cl.FlushAcks(ctx); err != nil {
			return Result{}, fmt.Errorf("acknowledge: %w", err)
		}
	}
	res, err := d.result()
	if err != nil {
		return Result{}, err
	}
	res.Client = franz
	return res, until(ctx, 10*time.Second, func() error { return nothingLeft(ctx, clients[0], group, partitions) })
}

// nothingLeft is nil when the group tells that it has everything behind it.
func nothingLeft(ctx context.Context, cl *kgo.Client, group string, partitions int) error {
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
	g.GroupID = group
	req.Groups = append(req.Groups, g)
	res, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	var left int64
	seen := 0
	for _, g := range res.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return err
				}
				left += p.Lag
				seen++
			}
		}
	}
	if seen != partitions || left != 0 {
		return fmt.Errorf("the group tells of a lag of %d in %d partitions, want 0 in %d", left, seen, partitions)
	}
	return nil
}

// queueRate is how many messages per second the row of a queue's latency sends.
const queueRate = 500

// queueLatencyRow measures from the moment a message was due until the broker has
// confirmed its acknowledgement, and how long a consumer waits for its first message.
func queueLatencyRow(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
	acked, err := withTopic(ctx, e, r, 1, nil, func(topic string) (Result, int64, error) { return queueLatency(ctx, e, r, topic) })
	if err != nil {
		return nil, err
	}
	acked.Row = "acked"
	join, err := withTopic(ctx, e, r, batchPartitions, nil, func(topic string) (Result, int64, error) {
		n, err := fill(ctx, r.Addr, topic, batchPartitions, queueValue, 1)
		if err != nil {
			return Result{}, 0, err
		}
		res, err := joinLatency(ctx, e, r, topic)
		return res, n, err
	})
	join.Row = "join"
	return []Result{acked, join}, err
}

func queueLatency(ctx context.Context, e *Env, r *peers.Running, topic string) (Result, int64, error) {
	group := "latency-" + topic
	if err := fromStart(ctx, r.Addr, group); err != nil {
		return Result{}, 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	consumer, err := shareConsumer(r.Addr, group, topic, func(err error) { cancel(err) })
	if err != nil {
		return Result{}, 0, err
	}
	defer consumer.Close()
	producer, err := newFranz(r.Addr, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		return Result{}, 0, err
	}
	defer producer.Close()
	l := newLateness(consumer)
	l.confirm = func(fetches kgo.Fetches) error {
		consumer.MarkAcks(kgo.AckAccept, fetches.Records()...)
		return consumer.FlushAcks(ctx)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := l.run(ctx); err != nil && ctx.Err() == nil {
			cancel(err)
		}
	}()
	warm := pacer{client: producer, topic: topic, rate: queueRate, size: queueValue}
	before, err := warm.run(ctx, max(e.Warm, 100*time.Millisecond))
	if err == nil {
		err = l.wait(ctx, before)
	}
	if err != nil {
		return Result{}, 0, errors.Join(err, context.Cause(ctx))
	}
	m, err := begin(r)
	if err != nil {
		return Result{}, 0, err
	}
	p := pacer{client: producer, topic: topic, rate: queueRate, size: queueValue}
	n, err := p.run(ctx, 2*e.Window) // the rate is low: for enough of them
	if err == nil {
		err = l.wait(ctx, before+n)
	}
	if err != nil {
		return Result{}, 0, errors.Join(err, context.Cause(ctx))
	}
	res, err := m.end()
	if err != nil {
		return Result{}, 0, err
	}
	cancel(nil)
	<-done
	if got := int64(len(l.late)); got != before+n {
		return Result{}, 0, fmt.Errorf("%d messages were sent, %d delivered", before+n, got)
	}
	res.Client = franz
	res.rates(n, n*queueValue, n)
	res.latencies(l.late[before:])
	return res, before + n, nil
}

// joins is how many consumers wait for their first message, one after the other.
const joins = 5

// joinLatency lets one consumer after the other join a group of its own.
func joinLatency(ctx context.Context, e *Env, r *peers.Running, topic string) (Result, error) {
	m, err := begin(r)
	if err != nil {
		return Result{}, err
	}
	var waits []time.Duration
	for i := range joins {
		wait, err := joinOnce(ctx, r, fmt.Sprintf("join-%s-%d-%d", topic, i, e.topics.Add(1)), topic)
		if err != nil {
			return Result{}, err
		}
		waits = append(waits, wait)
	}
	res, err := m.end()
	res.Client = franz
	res.latencies(waits)
	return res, err
}

func joinOnce(ctx context.Context, r *peers.Running, group, topic string) (time.Duration, error) {
	if err := fromStart(ctx, r.Addr, group); err != nil {
		return 0, err
	}
	began := time.Now()
	cl, err := shareConsumer(r.Addr, group, topic, func(error) {})
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, fmt.Errorf("consume: %w", err)
		}
		if fetches.NumRecords() > 0 {
			return time.Since(began), nil
		}
	}
}
