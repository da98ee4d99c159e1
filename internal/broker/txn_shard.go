package broker

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/plog"
)

// txnShard is one machine and its log.
type txnShard struct {
	*coordLog
	txns    *Txns
	machine *txn.Coordinator
	met     txn.Replayed // in the log
	failed  bool         // the machine is told that the log takes no write any more
}

func (t *Txns) newShard(_ *catalog.Topic, l *coordLog) *txnShard {
	return &txnShard{coordLog: l, txns: t, machine: txn.New(t.cfg)}
}

// load rebuilds the machine from its log.
func (s *txnShard) load(ctx context.Context) {
	s.read(ctx, func(b kafka.Batch) error { return replayTxns(s.machine, b, &s.met, s.skipped) }, func() {
		out := s.carryOut(s.machine.Loaded(s.opt.Now()))
		s.loaded.Store(true)
		s.finish(out)
	})
}

// replayTxns takes a batch of the log into a machine. Records that cannot be decoded
// are counted, told to skipped and left out.
func replayTxns(m *txn.Coordinator, b kafka.Batch, n *txn.Replayed, skipped func(offset int64, err error)) error {
	if b.Control() {
		return nil
	}
	return eachRecord(b, func(r kafka.Record) error {
		return m.Replay(txn.Record{Key: r.Key, Value: r.Value}, n)
	}, func(offset int64, err error) {
		n.Skipped++
		skipped(offset, err)
	})
}

// settled and tick are for the loop.
func (s *txnShard) settled(upTo uint64, err error) { s.step(txn.Durable{ID: upTo, Err: err}) }
func (s *txnShard) tick()                          { s.step(txn.Tick{}) }

// step puts an event into the machine and does what follows from it.
func (s *txnShard) step(e txn.Event) {
	s.mu.Lock()
	out := s.carryOut(s.machine.Step(s.opt.Now(), e))
	s.finish(out)
}

// carryOut appends what the machine wants appended, and gathers what is left to do when
// the lock is free. Called with mu held.
func (s *txnShard) carryOut(all txn.Effects) txn.Effects {
	// Reports about writes may cause more effects, which come behind these.
	for i := 0; i < len(all.Writes); i++ {
		w := &all.Writes[i]
		var pos plog.Pos
		var err error
		if w.Decision != nil {
			pos, err = s.decide(w)
		} else {
			_, pos, err = s.opt.Store.Submit(s.record(w))
		}
		s.written(&all, w.ID, pos, err)
	}
	return all
}

// written reports a write to the machine. Called with mu held.
func (s *txnShard) written(all *txn.Effects, id uint64, pos plog.Pos, err error) {
	s.appended(err)
	s.report(all, id, pos, err)
}

// report is written for writes whose refusal is the client's. Called with mu held.
func (s *txnShard) report(all *txn.Effects, id uint64, pos plog.Pos, err error) {
	more := s.machine.Step(s.opt.Now(), txn.Appended{ID: id, Err: err})
	all.Writes = append(all.Writes, more.Writes...)
	all.Replies = append(all.Replies, more.Replies...)
	all.Notes = append(all.Notes, more.Notes...)
	switch {
	case err == nil:
		s.opt.Store.WhenDurable(pos, func(err error) { s.txns.loop.durable(s, id, err) })
	case !s.failed && s.opt.Store.Err() != nil:
		s.failed = true
		s.txns.loop.durable(s, id, err) // it is no use to try again
	}
}

// record is the op that appends a write's records.
func (s *txnShard) record(w *txn.Write) plog.Op { return s.appending(kafka.BatchSpec{}, w.Records) }

// decide appends a decision with all its markers as one unit, and tells groups whose
// offsets it has ended.
func (s *txnShard) decide(w *txn.Write) (plog.Pos, error) {
	d := w.Decision
	now := s.opt.Now().UnixMilli()
	m := kafka.Marker{ProducerID: d.ProducerID, Epoch: d.Epoch, Commit: d.Commit, CoordinatorEpoch: s.txns.opt.Epoch}
	ops := []plog.Op{s.record(w)}
	var groups []*groupShard
	for _, p := range d.Partitions {
		part := s.txns.opt.Partition(p.Topic, p.Partition)
		if part == nil {
			continue // deleted meanwhile
		}
		ops = append(ops, plog.Mark(part.Log, m, now))
		if p.Topic != OffsetsTopic {
			continue
		}
		g := s.txns.opt.Groups.shardAt(p.Partition)
		switch {
		case g == nil || !g.loaded.Load():
			return 0, kerr.CoordinatorLoadInProgress
		case g.broken == nil:
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, byPartition)
	for _, g := range groups {
		g.mu.Lock()
	}
	store := s.opt.Store
	var pos plog.Pos
	var err error
	if mutant.On("marker-apart") && len(ops) > 1 {
		if _, pos, err = store.Submit(ops[0]); err == nil {
			if err = store.Wait(context.Background(), pos); err == nil {
				_, pos, err = store.Submit(ops[1:]...)
			}
		}
	} else {
		_, pos, err = store.Submit(ops...)
	}
	for _, g := range groups {
		if err != nil {
			g.mu.Unlock()
			continue
		}
		g.finish(g.ended(group.TxnEnd{ProducerID: d.ProducerID, Commit: d.Commit}, pos))
	}
	return pos, err
}

// finish lets go of the lock, sends the answers and sets the clock.
func (s *txnShard) finish(eff txn.Effects) {
	s.txns.loop.expect(s, s.machine.Deadline()) // with the lock held: a later one must not be overtaken
	s.mu.Unlock()
	s.tell("transactional_id", eff.Notes, eff.Replies)
}
