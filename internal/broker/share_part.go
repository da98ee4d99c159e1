package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// sharePart is a share-partition: the machine, its lock, and who waits for it.
type sharePart struct {
	shares *Shares
	key    shareKey
	shard  *shareShard
	part   *Partition
	wait   waitlist

	burying sched.Mutex // one at a time writes dead letters; taken before mu

	mu      sched.Mutex
	m       *share.Partition // nil until it is known where the group begins
	head    share.Header
	updates int   // since the snapshot
	snapAt  int64 // the snapshot's offset in the state's log
	// last is the newest change; began the one that says where the group begins.
	last, began plog.Pos
	view        *catalog.ShareView
	seen        *catalog.Snapshot // that view is from
	gone        bool              // the group or the topic was deleted
	counts      shareCounts
	look        shareLook
}

// shareCounts count records since the start.
type shareCounts struct{ delivered, dead int64 }

// refresh brings the configs up to date. Called with mu held.
func (sp *sharePart) refresh() {
	snap := sp.shares.b.Catalog.Snapshot()
	if snap == sp.seen {
		return
	}
	sp.seen, sp.view = snap, snap.ShareGroup(sp.key.group)
	if sp.m != nil {
		sp.m.SetConfig(sp.config())
	}
}

func (sp *sharePart) config() share.Config {
	c, v := share.DefaultConfig(), sp.view
	c.LockDuration, c.DeliveryLimit, c.MaxLocks, c.Renew = v.LockDuration, v.DeliveryLimit, v.MaxLocks, v.Renew
	c.DeadLetters = v.DeadLetterTopic != ""
	c.BackoffMin, c.BackoffMax, c.BackoffMultiplier = v.BackoffMin, v.BackoffMax, v.BackoffMultiplier
	c.BreakerDead, c.BreakerPause = v.BreakerDead, v.BreakerPause
	return c
}

// replay takes in a record of the state. Called with mu held, before anything else.
func (sp *sharePart) replay(kind share.Kind, head share.Header, w share.Write, at int64) {
	sp.refresh()
	now := sp.shares.b.Now()
	switch {
	case kind == share.Tombstone:
		sp.m, sp.updates = nil, 0
	case kind == share.Snapshot && w.Start < 0:
		sp.m, sp.head, sp.updates = nil, head, 0 // Kafka's form of "not begun"
	case kind == share.Snapshot:
		sp.m, sp.head, sp.snapAt, sp.updates = share.Restore(sp.config(), now, w), head, at, 0
	case sp.m != nil && head.SnapshotEpoch == sp.head.SnapshotEpoch:
		sp.m.Replay(w)
		sp.updates++
	}
}

// open makes sure that the machine is there: a new one begins where the group's
// configs say. Called with mu held.
func (sp *sharePart) open() error {
	if sp.gone {
		return kerr.UnknownTopicOrPartition
	}
	sp.refresh()
	if sp.m != nil {
		return nil
	}
	start, err := sp.beginning()
	if err != nil {
		return err
	}
	return sp.begin(start)
}

// begin makes a new machine that begins at start. Called with mu held.
func (sp *sharePart) begin(start int64) error {
	now := sp.shares.b.Now()
	m := share.New(sp.config(), now, start)
	created := sp.head.Created
	if created == 0 {
		created = now.UnixMilli()
	}
	head := sp.head
	head.Created = created
	if err := sp.snapshot(sp.shares.b.Store.Submit, m, head); err != nil {
		return err
	}
	sp.m, sp.began = m, sp.last
	return nil
}

// beginning is where a group that has not read the partition begins.
func (sp *sharePart) beginning() (int64, error) {
	log := sp.part.Log
	switch sp.view.Reset {
	case catalog.ResetEarliest:
		return log.Start(), nil
	case catalog.ResetByAge:
		at := sp.shares.b.Now().Add(-sp.view.ResetAge)
		st, err := log.FirstAt(at.UnixMilli())
		if err != nil {
			return 0, err
		}
		if st.Offset >= 0 {
			return st.Offset, nil
		}
	}
	return log.HighWatermark(), nil
}

// snapshot writes the whole state of a machine. Called with mu held.
func (sp *sharePart) snapshot(submit submitting, m *share.Partition, head share.Header, more ...plog.Op) error {
	head.SnapshotEpoch++
	head.LeaderEpoch, head.Written = sp.shares.b.Epoch, sp.shares.b.Now().UnixMilli()
	w := m.Snapshot()
	base, pos, err := sp.shard.submit(submit, share.AppendSnapshotKey(nil, sp.key.key()), share.AppendSnapshot(nil, head, &w), more...)
	if err != nil {
		return err
	}
	sp.head, sp.snapAt, sp.updates, sp.last = head, base, 0, pos
	return nil
}

// step puts an event into the machine and appends what it wants appended, with other
// changes in the same append. Called with mu held, when open has succeeded. With an
// error the machine is as before. The Effects are valid until the next step.
func (sp *sharePart) step(e share.Event, more ...plog.Op) (share.Effects, error) {
	return sp.stepBy(sp.shares.b.Store.Submit, e, more...)
}

// stepBy is step for who says how the change is appended: Store.Submit, or
// Store.Gather, which the log's Flush has to follow.
func (sp *sharePart) stepBy(submit submitting, e share.Event, more ...plog.Op) (share.Effects, error) {
	out := *sp.m.Step(sp.shares.b.Now(), e)
	if out.Note != "" {
		sp.shares.b.Log.Warn("share group: "+out.Note, "group", sp.key.group, "topic", sp.part.Topic(), "partition", sp.key.partition)
	}
	var err error
	if out.Write != nil {
		err = sp.write(submit, out.Write, more...)
		sp.m.Step(sp.shares.b.Now(), share.Appended{Err: err})
	}
	sp.shares.loop.expect(sp, sp.m.Deadline())
	if out.Wake {
		sp.wait.wake()
	}
	return out, err
}

// write appends a change, or the whole state when it is time for it.
func (sp *sharePart) write(submit submitting, w *share.Write, more ...plog.Op) error {
	if per := sp.seen.Int("share.coordinator.snapshot.update.records.per.snapshot"); int64(sp.updates) >= per {
		return sp.snapshot(submit, sp.m, sp.head, more...)
	}
	head := sp.head
	head.LeaderEpoch = sp.shares.b.Epoch
	_, pos, err := sp.shard.submit(submit, share.AppendUpdateKey(nil, sp.key.key()), share.AppendUpdate(nil, head, w), more...)
	if err != nil {
		return err
	}
	sp.updates++
	sp.last = pos
	return nil
}

// answerAt is what an answer has to wait for. Called with mu held.
func (sp *sharePart) answerAt() plog.Pos {
	if mutant.On("early-share-ack") {
		return 0
	}
	return sp.last
}

// tick tells the machine the time, and writes the dead letters that come of it.
func (sp *sharePart) tick() {
	sp.mu.Lock()
	if sp.gone || sp.m == nil {
		sp.mu.Unlock()
		return
	}
	sp.refresh()
	if _, err := sp.step(share.Tick{}); err != nil {
		// The log refuses for a while; the time goes on.
		sp.shares.loop.expect(sp, sp.shares.b.Now().Add(time.Second))
	}
	sp.mu.Unlock()
	sp.bury()
}

// oldest is the first offset of the state's log that the share-partition needs. One
// that lies far behind end is written anew, for the next time.
func (sp *sharePart) oldest(end int64) int64 {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.gone || sp.m == nil {
		return end
	}
	at := sp.snapAt
	if end-at > farBehind {
		if err := sp.snapshot(sp.shares.b.Store.Submit, sp.m, sp.head); err != nil {
			sp.shares.b.Log.Debug("the state of a share group is not written anew", "group", sp.key.group, "err", err)
		}
	}
	return at
}
