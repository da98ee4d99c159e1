package worker

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clientOpts are the options of the worker's one client: defaults that
// Config.ClientOpts may override first, its guarantees last.
func (w *Worker) clientOpts() []kgo.Opt {
	opts := []kgo.Opt{
		// A worker that is killed holds its partitions until its session ends.
		kgo.SessionTimeout(10 * time.Second),
		kgo.HeartbeatInterval(time.Second),
		// A fetch that waits holds up partitions that are assigned meanwhile.
		kgo.FetchMaxWait(500 * time.Millisecond),
		// Records of aborted transactions are not events.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ProducerLinger(0),
	}
	opts = append(opts, w.adminOpts()...)
	return append(opts,
		kgo.ConsumerGroup(w.cfg.Group),
		kgo.ConsumeTopics(w.cfg.Topics...),
		// Never reset by itself: an offset out of range is an error.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.AdjustFetchOffsetsFn(w.adjustOffsets),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { <-w.ready; w.assigned(m) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { <-w.ready; w.revoked(m) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { <-w.ready; w.lost(m) }),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchMaxBytesFn(w.limits.of),
		kgo.RecordPartitioner(partitioner()),
	)
}

// adminOpts are the options of a client that does not join the group.
func (w *Worker) adminOpts() []kgo.Opt {
	opts := []kgo.Opt{kgo.ClientID("leat-" + w.cfg.Group)}
	if len(w.cfg.Seeds) > 0 {
		opts = append(opts, kgo.SeedBrokers(w.cfg.Seeds...))
	}
	return append(opts, w.cfg.ClientOpts...)
}

func (w *Worker) assigned(m map[string][]int32) {
	w.mu.Lock()
	for topic, nums := range m {
		for _, num := range nums {
			tp := topicPartition{topic, num}
			w.parts[tp] = &partition{w: w, topic: topic, num: num, base: -1, committed: -1,
				name: topic + "/" + strconv.Itoa(int(num))}
		}
	}
	w.mu.Unlock()
	if w.cfg.OnAssigned != nil && len(m) > 0 {
		w.cfg.OnAssigned(m)
	}
}

// revoked gives partitions up in good order: nothing new is handed out, what is in
// flight finishes, the handler is told, what is done is committed.
func (w *Worker) revoked(m map[string][]int32) {
	ps := w.take(m)
	if len(ps) == 0 {
		return
	}
	w.drain(ps)
	if w.cfg.OnRevoked != nil {
		w.cfg.OnRevoked(names(ps), false)
		w.drain(ps) // what the handler settled just now
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	if err := w.commit(ctx, ps...); err != nil {
		w.cfg.Logger.Info("partitions given up without their last commit; what was done since is repeated", "group", w.cfg.Group, "error", err)
	}
	w.forget(ps)
}

// lost gives up partitions that are another worker's already: no commit.
func (w *Worker) lost(m map[string][]int32) {
	ps := w.take(m)
	if len(ps) == 0 {
		return
	}
	w.cfg.Logger.Warn("partitions lost; what was in flight there is repeated", "group", w.cfg.Group, "partitions", names(ps))
	w.forget(ps)
	if w.cfg.OnRevoked != nil {
		w.cfg.OnRevoked(names(ps), true)
	}
}

// take marks these partitions as draining and returns those that are ours. Nothing
// more is handed out of them but what lies before records that are done already:
// with those gaps filled, all that is done can be committed.
func (w *Worker) take(m map[string][]int32) []*partition {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ps []*partition
	for topic, nums := range m {
		for _, num := range nums {
			if p := w.parts[topicPartition{topic, num}]; p != nil {
				p.draining = true
				ps = append(ps, p)
			}
		}
	}
	now := time.Now()
	w.drop(now, func(m *Message) bool {
		return m.part.draining && (m.number >= m.part.handedOut || m.due.After(now))
	})
	w.kick()
	return ps
}

// drop forgets waiting messages: neither done nor committed, they are read again by
// whoever has the partition next.
func (w *Worker) drop(now time.Time, which func(*Message) bool) {
	w.queue.drop(func(m *Message) bool {
		if !which(m) {
			return false
		}
		m.state = finished
		m.part.queued--
		w.breaker.forget(m)
		return true
	}, now)
}

// drain waits until nothing of these partitions is waiting, working or settling, at
// most for the drain time-out, and while the worker is not paused. Held messages are
// not waited for: they may be held for long, and the next owner reads them again.
func (w *Worker) drain(ps []*partition) {
	deadline := time.Now().Add(w.cfg.DrainTimeout)
	timer := time.AfterFunc(w.cfg.DrainTimeout, w.broadcast)
	defer timer.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if w.breaker.open || w.produce.waiting() || w.fatal != nil {
			w.drop(time.Now(), func(m *Message) bool { return m.part.draining })
		}
		if unsettled(ps) == 0 || !time.Now().Before(deadline) {
			break
		}
		w.changed.Wait()
	}
	if n := unsettled(ps); n > 0 {
		w.cfg.Logger.Warn("records still in flight after the drain time-out; they are repeated", "group", w.cfg.Group, "records", n)
		w.drop(time.Now(), func(m *Message) bool { return m.part.draining })
	}
}

func unsettled(ps []*partition) int {
	n := 0
	for _, p := range ps {
		n += p.active + p.queued
	}
	return n
}

// forget ends partitions here: what is still out of them counts for nothing.
func (w *Worker) forget(ps []*partition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range ps {
		p.draining, p.gone = true, true
		if w.parts[topicPartition{p.topic, p.num}] == p {
			delete(w.parts, topicPartition{p.topic, p.num})
		}
		if p.paused {
			w.cl.ResumeFetchPartitions(map[string][]int32{p.topic: {p.num}})
		}
	}
	w.changed.Broadcast()
}

// drainAll drains and commits everything; the partitions are still ours after it.
func (w *Worker) drainAll() {
	all := map[string][]int32{}
	w.mu.Lock()
	for tp := range w.parts {
		all[tp.topic] = append(all[tp.topic], tp.num)
	}
	w.mu.Unlock()
	w.revoked(all)
}

func names(ps []*partition) map[string][]int32 {
	m := map[string][]int32{}
	for _, p := range ps {
		m[p.topic] = append(m[p.topic], p.num)
	}
	return m
}
