package broker

import (
	"sync/atomic"

	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// maxGroupRecords bounds the opening of a compressed batch of
// __consumer_offsets. The broker's own are not compressed.
const maxGroupRecords = 64 << 20

// groupShard is one machine and its log.
type groupShard struct {
	groups    *Groups
	partition int32
	log       *plog.Log
	broken    error // why the log could not be read; nothing is served then
	// loaded says that broken is settled and the machine can be used. It is set once,
	// with mu held.
	loaded atomic.Bool

	mu      sched.Mutex
	machine *group.Coordinator
	refused bool // the log took no write the last time
}

// replyTo is the token of every request: it takes the answer.
type replyTo func(answer any)

// topicExists says whether offsets of a topic are still of use.
func (g *Groups) topicExists(name string, id [16]byte) bool {
	t := g.opt.Catalog.Snapshot().Topic(name)
	return t != nil && (id == [16]byte{} || t.ID == id)
}

func (s *groupShard) replay(b kafka.Batch, n *group.Replayed) error {
	if b.Control() {
		m, ok, err := b.Marker()
		if ok {
			s.machine.ReplayEnd(m.ProducerID, m.Commit)
		}
		return err
	}
	take := s.machine.Replay
	if b.Transactional() && !mutant.On("uncommitted-offsets") {
		// It counts when the transaction is committed.
		take = func(r group.Record, n *group.Replayed) error { return s.machine.ReplayTxn(b.ProducerID(), r, n) }
	}
	for r, err := range b.Records(maxGroupRecords) {
		if err != nil {
			return err
		}
		if err := take(group.Record{Key: r.Key, Value: r.Value}, n); err != nil {
			n.Skipped++
			s.groups.opt.Logger.Warn("a record of the groups' topic cannot be read and is skipped",
				"partition", s, "offset", r.Offset, "err", err)
		}
	}
	return nil
}

// index, settled and tick are for the loop.
func (s *groupShard) index() int32                   { return s.partition }
func (s *groupShard) settled(upTo uint64, err error) { s.step(group.Durable{ID: upTo, Err: err}) }
func (s *groupShard) tick()                          { s.step(group.Tick{}) }

// step puts an event into the machine and does what follows from it.
func (s *groupShard) step(e group.Event) { s.stepWith(func() group.Event { return e }) }

// stepWith is step for an event that is made with the lock held.
func (s *groupShard) stepWith(event func() group.Event) {
	s.mu.Lock()
	out := s.carryOut(s.machine.Step(s.groups.opt.Now(), event()))
	s.finish(out)
}

// stepLoaded is stepWith for news of topics. While the groups are still loading there
// is nothing to do: they look at the catalogue when they are through. It reports
// whether they are.
func (s *groupShard) stepLoaded(event func() group.Event) bool {
	s.mu.Lock()
	if !s.loaded.Load() || s.broken != nil {
		loaded := s.loaded.Load()
		s.mu.Unlock()
		return loaded
	}
	out := s.carryOut(s.machine.Step(s.groups.opt.Now(), event()))
	s.finish(out)
	return true
}

// carryOut appends what the machine wants appended, and gathers what is left to
// do when the lock is free. Called with mu held.
func (s *groupShard) carryOut(eff group.Effects) group.Effects {
	return s.carryOutWith(eff, nil, nil, nil)
}

// carryOutWith is carryOut with ops that are submitted together with the first write
// that belongs to a transaction; pos and failed are set by what becomes of it.
func (s *groupShard) carryOutWith(eff group.Effects, ops []plog.Op, at *plog.Pos, failed *error) group.Effects {
	// Reports about writes may cause more effects, which come behind these.
	for i := 0; i < len(eff.Writes); i++ {
		w := eff.Writes[i]
		var with []plog.Op
		if w.Producer != nil {
			with = ops
		}
		pos, err := s.appendAll(&w, with)
		if w.Producer != nil {
			*at, *failed = pos, err
		}
		if refused := err != nil; refused != s.refused {
			// Said when it begins and when it ends: clients come back every moment.
			if s.refused = refused; refused {
				s.groups.opt.Logger.Error("the log refuses what groups want to write", "partition", s, "err", err)
			} else {
				s.groups.opt.Logger.Info("the log takes what groups write again", "partition", s)
			}
		}
		more := s.machine.Step(s.groups.opt.Now(), group.Appended{ID: w.ID, Err: err})
		eff.Writes = append(eff.Writes, more.Writes...)
		eff.Replies = append(eff.Replies, more.Replies...)
		eff.Notes = append(eff.Notes, more.Notes...)
		if err == nil {
			if mutant.On("early-commit") {
				pos = 0
			}
			s.groups.opt.Store.WhenDurable(pos, func(err error) { s.groups.loop.durable(s, w.ID, err) })
		}
	}
	return eff
}

// ended tells the machine that a transaction has ended with what is at pos, and carries
// out what follows. Called with mu held.
func (s *groupShard) ended(e group.TxnEnd, pos plog.Pos) group.Effects {
	eff := s.machine.Step(s.groups.opt.Now(), e)
	s.groups.opt.Store.WhenDurable(pos, func(err error) { s.groups.loop.durable(s, eff.Placed, err) })
	return s.carryOut(eff)
}

// appendAll appends a write with all that belongs to it.
func (s *groupShard) appendAll(w *group.Write, with []plog.Op) (plog.Pos, error) {
	if w.Places == "" || s.groups.opt.Burial == nil {
		return s.append(w.Records, w.Producer, with)
	}
	places, done, err := s.groups.opt.Burial(w.Places)
	if err != nil {
		return 0, err
	}
	pos, err := s.append(w.Records, w.Producer, append(with, places...))
	done(err)
	return pos, err
}

// forgetStray ends the places of a share group that does not exist: for good when pos is
// durable.
func (s *groupShard) forgetStray(id string) (pos plog.Pos, err error) {
	s.mu.Lock() // nobody makes the group meanwhile
	defer s.mu.Unlock()
	if !s.loaded.Load() || s.broken != nil || s.machine.HasShare(id) {
		return 0, nil
	}
	ops, done, err := s.groups.opt.Burial(id)
	if err != nil {
		return 0, err
	}
	if len(ops) > 0 {
		_, pos, err = s.groups.opt.Store.Submit(ops...)
	}
	done(err)
	return pos, err
}

// append writes one batch, of a producer's transaction if there is one, together with
// other ops. It does not wait for the disk.
func (s *groupShard) append(records []group.Record, of *group.Producer, with []plog.Op) (plog.Pos, error) {
	now := s.groups.opt.Now().UnixMilli()
	rs := make([]kafka.Record, len(records))
	for i, r := range records {
		rs[i] = kafka.Record{Timestamp: now, Key: r.Key, Value: r.Value}
	}
	spec := kafka.BatchSpec{}
	if of != nil {
		spec.Transactional, spec.Producer = true, &kafka.ProducerSpec{ID: of.ID, Epoch: of.Epoch, Sequence: -1}
	}
	op := plog.Append(s.log, kafka.Build(spec, rs))
	if of != nil {
		op = plog.Begins(op)
	}
	_, pos, err := s.groups.opt.Store.Submit(append(with, op)...)
	return pos, err
}

// finish lets go of the lock, sends the answers and sets the clock.
func (s *groupShard) finish(eff group.Effects) {
	s.groups.loop.expect(s, s.machine.Deadline()) // with the lock held: a later one must not be overtaken
	s.mu.Unlock()
	for _, n := range eff.Notes {
		s.groups.opt.Logger.Info(n.Text, "group", n.Group)
	}
	for _, r := range eff.Replies {
		r.Token.(replyTo)(r.Answer)
	}
}
