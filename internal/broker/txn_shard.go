package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// txnShard is one machine and its log.
type txnShard struct {
	txns      *Txns
	partition int32
	log       *plog.Log
	broken    error // why the log could not be read; nothing is served then
	// loaded says that broken is settled and the machine can be used.
	loaded atomic.Bool

	mu      sched.Mutex
	machine *txn.Coordinator
	refused bool // the log took no write the last time
	failed  bool // the machine is told that the log takes no write any more
}

// String names the shard in log lines.
func (s *txnShard) String() string { return fmt.Sprintf("%s-%d", TransactionsTopic, s.partition) }

// load rebuilds the machine from its log and begins the service, unless the coordinator
// stops meanwhile.
func (s *txnShard) load(n *txn.Replayed) {
	err := errNoLog
	if s.log != nil {
		err = s.log.Fenced()
	}
	if err == nil {
		err = s.log.ReadAll(func(b kafka.Batch) error {
			if s.txns.loop.quit.Load() {
				return errStopped
			}
			return replayTxns(s.machine, b, n, func(offset int64, err error) {
				s.txns.opt.Logger.Warn("a record of the transactions' topic cannot be read and is skipped", "partition", s, "offset", offset, "err", err)
			})
		})
	}
	if err == errStopped {
		return
	}
	if err != nil {
		s.broken = err
		s.loaded.Store(true)
		s.txns.opt.Logger.Error("transactional ids cannot be loaded from this partition; they are not available", "partition", s, "err", err)
		return
	}
	s.mu.Lock()
	out := s.carryOut(s.machine.Loaded(s.txns.opt.Now()))
	s.loaded.Store(true)
	s.finish(out)
}

// replayTxns takes a batch of the log into a machine. Records that cannot be decoded
// are counted, told to skipped, if that is not nil, and left out.
func replayTxns(m *txn.Coordinator, b kafka.Batch, n *txn.Replayed, skipped func(offset int64, err error)) error {
	if b.Control() {
		return nil
	}
	for r, err := range b.Records(maxGroupRecords) {
		if err != nil {
			return err
		}
		if err := m.Replay(txn.Record{Key: r.Key, Value: r.Value}, n); err != nil {
			n.Skipped++
			if skipped != nil {
				skipped(r.Offset, err)
			}
		}
	}
	return nil
}

var errStopped = errors.New("the coordinator stops")

// index, settled and tick are for the loop.
func (s *txnShard) index() int32                   { return s.partition }
func (s *txnShard) settled(upTo uint64, err error) { s.step(txn.Durable{ID: upTo, Err: err}) }
func (s *txnShard) tick()                          { s.step(txn.Tick{}) }

// step puts an event into the machine and does what follows from it.
func (s *txnShard) step(e txn.Event) {
	s.mu.Lock()
	out := s.carryOut(s.machine.Step(s.txns.opt.Now(), e))
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
			_, pos, err = s.txns.opt.Store.Submit(s.record(w))
		}
		s.written(&all, w.ID, pos, err)
	}
	return all
}

// written reports a write to the machine. Called with mu held.
func (s *txnShard) written(all *txn.Effects, id uint64, pos plog.Pos, err error) {
	if refused := err != nil; refused != s.refused {
		// Said when it begins and when it ends: clients come back every moment.
		if s.refused = refused; refused {
			s.txns.opt.Logger.Error("the log refuses what transactions want to write", "partition", s, "err", err)
		} else {
			s.txns.opt.Logger.Info("the log takes what transactions write again", "partition", s)
		}
	}
	s.report(all, id, pos, err)
}

// report is written for writes whose refusal is the client's. Called with mu held.
func (s *txnShard) report(all *txn.Effects, id uint64, pos plog.Pos, err error) {
	more := s.machine.Step(s.txns.opt.Now(), txn.Appended{ID: id, Err: err})
	all.Writes = append(all.Writes, more.Writes...)
	all.Replies = append(all.Replies, more.Replies...)
	all.Notes = append(all.Notes, more.Notes...)
	switch {
	case err == nil:
		s.txns.opt.Store.WhenDurable(pos, func(err error) { s.txns.loop.durable(s, id, err) })
	case !s.failed && s.txns.opt.Store.Err() != nil:
		s.failed = true
		s.txns.loop.durable(s, id, err) // it is no use to try again
	}
}

// record is the op that appends a write's records.
func (s *txnShard) record(w *txn.Write) plog.Op {
	now := s.txns.opt.Now().UnixMilli()
	rs := make([]kafka.Record, len(w.Records))
	for i, r := range w.Records {
		rs[i] = kafka.Record{Timestamp: now, Key: r.Key, Value: r.Value}
	}
	return plog.Append(s.log, kafka.Build(kafka.BatchSpec{}, rs))
}

// decide appends a decision with all its markers as one unit, and tells groups whose
// offsets it has ended.
func (s *txnShard) decide(w *txn.Write) (plog.Pos, error) {
	d := w.Decision
	now := s.txns.opt.Now().UnixMilli()
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
	slices.SortFunc(groups, func(a, b *groupShard) int { return cmp.Compare(a.partition, b.partition) })
	for _, g := range groups {
		g.mu.Lock()
	}
	store := s.txns.opt.Store
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
	for _, n := range eff.Notes {
		s.txns.opt.Logger.Info(n.Text, "transactional_id", n.ID)
	}
	for _, r := range eff.Replies {
		r.Token.(replyTo)(r.Answer)
	}
}
