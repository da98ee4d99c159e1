package broker

import (
	"context"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/plog"
)

// groupShard is one machine and its log.
type groupShard struct {
	*coordLog
	groups  *Groups
	machine *group.Coordinator
	met     group.Replayed // in the log
}

func (g *Groups) newShard(t *catalog.Topic, l *coordLog) *groupShard {
	cfg := g.cfg
	cfg.MaxWriteBytes = t.View.MaxMessageBytes
	return &groupShard{coordLog: l, groups: g, machine: group.New(cfg)}
}

// load rebuilds the machine from its log.
func (s *groupShard) load(ctx context.Context) {
	s.read(ctx, s.replay, func() {
		out := s.carryOut(s.machine.Loaded(s.opt.Now(), s.groups.topics()))
		s.loaded.Store(true)
		s.finish(out)
	})
}

// topicExists says whether offsets of a topic are still of use.
func (g *Groups) topicExists(name string, id [16]byte) bool {
	t := g.opt.Catalog.Snapshot().Topic(name)
	return t != nil && (id == [16]byte{} || t.ID == id)
}

func (s *groupShard) replay(b kafka.Batch) error {
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
	return eachRecord(b, func(r kafka.Record) error {
		return take(group.Record{Key: r.Key, Value: r.Value}, &s.met)
	}, func(offset int64, err error) {
		s.met.Skipped++
		s.skipped(offset, err)
	})
}

// settled and tick are for the loop.
func (s *groupShard) settled(upTo uint64, err error) { s.step(group.Durable{ID: upTo, Err: err}) }
func (s *groupShard) tick()                          { s.step(group.Tick{}) }

// step puts an event into the machine and does what follows from it.
func (s *groupShard) step(e group.Event) { s.stepWith(func() group.Event { return e }) }

// stepWith is step for an event that is made with the lock held.
func (s *groupShard) stepWith(event func() group.Event) {
	s.mu.Lock()
	out := s.carryOut(s.machine.Step(s.opt.Now(), event()))
	s.finish(out)
}

// stepLoaded is stepWith for news of topics. While the groups are still loading there
// is nothing to do: they look at the catalogue when they are through. It reports
// whether they are.
func (s *groupShard) stepLoaded(event func() group.Event) bool {
	s.mu.Lock()
	if s.usable() != nil {
		loaded := s.loaded.Load()
		s.mu.Unlock()
		return loaded
	}
	out := s.carryOut(s.machine.Step(s.opt.Now(), event()))
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
		s.appended(err)
		more := s.machine.Step(s.opt.Now(), group.Appended{ID: w.ID, Err: err})
		eff.Writes = append(eff.Writes, more.Writes...)
		eff.Replies = append(eff.Replies, more.Replies...)
		eff.Notes = append(eff.Notes, more.Notes...)
		if err == nil {
			if mutant.On("early-commit") {
				pos = 0
			}
			s.opt.Store.WhenDurable(pos, func(err error) { s.groups.loop.durable(s, w.ID, err) })
		}
	}
	return eff
}

// ended tells the machine that a transaction has ended with what is at pos, and carries
// out what follows. Called with mu held.
func (s *groupShard) ended(e group.TxnEnd, pos plog.Pos) group.Effects {
	eff := s.machine.Step(s.opt.Now(), e)
	s.opt.Store.WhenDurable(pos, func(err error) { s.groups.loop.durable(s, eff.Placed, err) })
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
	if s.usable() != nil || s.machine.HasShare(id) {
		return 0, nil
	}
	ops, done, err := s.groups.opt.Burial(id)
	if err != nil {
		return 0, err
	}
	if len(ops) > 0 {
		_, pos, err = s.opt.Store.Submit(ops...)
	}
	done(err)
	return pos, err
}

// append writes one batch, of a producer's transaction if there is one, together with
// other ops. It does not wait for the disk.
func (s *groupShard) append(records []group.Record, of *group.Producer, with []plog.Op) (plog.Pos, error) {
	spec := kafka.BatchSpec{}
	if of != nil {
		spec.Transactional, spec.Producer = true, &kafka.ProducerSpec{ID: of.ID, Epoch: of.Epoch, Sequence: -1}
	}
	op := s.appending(spec, records)
	if of != nil {
		op = plog.Begins(op)
	}
	_, pos, err := s.opt.Store.Submit(append(with, op)...)
	return pos, err
}

// finish lets go of the lock, sends the answers and sets the clock.
func (s *groupShard) finish(eff group.Effects) {
	s.groups.loop.expect(s, s.machine.Deadline()) // with the lock held: a later one must not be overtaken
	s.mu.Unlock()
	s.tell("group", eff.Notes, eff.Replies)
}
