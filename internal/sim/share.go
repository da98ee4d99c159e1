//go:build sim

package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/sched"
)

// The share group of a run, and where its dead letters go.
const (
	shareGroup  = "queue"
	graveyard   = "dlq.queue"
	openedLimit = 1 << 20
)

// shared is what the members of the share group know of one partition, by offset.
type shared struct {
	part *partition
	// accepted and rejected were told so; doubt was asked for, and no answer came.
	accepted, rejected, doubt map[int64]bool
}

func (m *memory) shared(p *partition) *shared {
	for _, s := range m.shares {
		if s.part == p {
			return s
		}
	}
	s := &shared{part: p, accepted: map[int64]bool{}, rejected: map[int64]bool{}, doubt: map[int64]bool{}}
	m.shares = append(m.shares, s)
	return s
}

// shareConfigs are those of the group.
var shareConfigs = map[string]string{"share.auto.offset.reset": "earliest", "errors.deadletterqueue.topic.name": graveyard}

// share is a member of the share group: it takes records, and accepts, releases or
// rejects them, or forgets about them.
func (r *run) share(n int) {
	member := fmt.Sprintf("member-%d-%d", r.life.n, n)
	for range r.tune.work {
		if r.mem.groupsRuined {
			return
		}
		pause()
		parts := r.mem.usable()
		if len(parts) == 0 {
			sched.Sleep(context.Background(), 5*time.Millisecond)
			continue
		}
		if len(r.b.Catalog.Snapshot().GroupConfigs(shareGroup)) == 0 {
			if err := r.b.SetGroupConfigs(shareGroup, false, func(map[string]string) (map[string]string, error) { return shareConfigs, nil }); err != nil {
				r.shareFailed("its configs", err)
				continue
			}
		}
		if !r.mem.shareMade {
			// Where a group stands that does not exist is forgotten after a while.
			req := kmsg.NewPtrAlterShareGroupOffsetsRequest()
			req.GroupID = shareGroup
			switch res := r.b.Shares.AlterOffsets(context.Background(), req); res.ErrorCode {
			case 0:
			case kerr.NotCoordinator.Code: // its record found no room before a checkpoint: clients ask again
				sched.Sleep(context.Background(), 50*time.Millisecond)
				continue
			default:
				r.shareFailed("making it", kerr.ErrorForCode(res.ErrorCode))
				continue
			}
			r.mem.shareMade = true
		}
		p := parts[sched.Draw(len(parts))]
		at := r.find(p)
		if at == nil {
			continue
		}
		got, ok := r.take(member, p, at, 1+sched.Draw(20))
		if !ok || len(got) == 0 {
			continue
		}
		r.stat.Shared += len(got)
		switch sched.Draw(12) {
		case 0: // it forgets them: the locks end
		case 1:
			r.b.Shares.GiveBack(shareGroup, member)
		default:
			r.judge(member, p, at, got)
		}
	}
}

// shareFailed is an error that a member was told.
func (r *run) shareFailed(what string, err error) {
	r.hist.note("share group: %s: %v", what, err)
	if !r.ill() && !errors.Is(err, kerr.KafkaStorageError) {
		r.fail("share group: %s: %v", what, err)
	}
	sched.Sleep(context.Background(), 50*time.Millisecond)
}

// take acquires records, and looks at whether any comes that must not.
func (r *run) take(member string, p *partition, at *broker.Partition, most int) (got []int64, ok bool) {
	t, err := r.b.Shares.Take(shareGroup, member, at, broker.ShareLimits{Mode: share.Mode(sched.Draw(2)), MaxRecords: most, BatchSize: most, MaxBytes: 1 << 20, First: true})
	if err == nil {
		t.Records.Release()
		err = r.b.Store.Wait(context.Background(), t.Pos)
	}
	if err != nil {
		if p.topic.state == live {
			r.shareFailed("take of "+p.String(), err)
		}
		return nil, false
	}
	s := r.mem.shared(p)
	for _, g := range t.Acquired {
		for o := g.First; o <= g.Last; o++ {
			if s.accepted[o] || s.rejected[o] {
				r.fail("%s: offset %d comes to a share group again, it was acknowledged (accepted %v, rejected %v)", p, o, s.accepted[o], s.rejected[o])
			}
			got = append(got, o)
		}
	}
	return got, true
}

// judge acknowledges records, each its own way.
func (r *run) judge(member string, p *partition, at *broker.Partition, got []int64) {
	s := r.mem.shared(p)
	var acks []share.Ack
	verdicts := map[int64]share.Type{}
	for _, o := range got {
		what := []share.Type{share.Accept, share.Accept, share.Accept, share.Release, share.Reject}[sched.Draw(5)]
		verdicts[o] = what
		s.doubt[o] = s.doubt[o] || what != share.Release
		acks = append(acks, share.Ack{First: o, Last: o, Types: []int8{int8(what)}})
	}
	r.hist.note("%s acknowledges %d offsets of %s from %d on", member, len(got), p, got[0])
	pos, code := r.b.Shares.Acknowledge(shareGroup, member, at, acks, false, false)
	err := kerr.ErrorForCode(code)
	if err == nil {
		err = r.b.Store.Wait(context.Background(), pos)
	}
	r.hist.note("%s acknowledged %s from %d on: %v", member, p, got[0], err)
	switch {
	case err == nil:
		r.stat.Shared++
		for o, what := range verdicts {
			switch what {
			case share.Accept:
				s.accepted[o] = true
			case share.Reject:
				s.rejected[o] = true
			}
		}
	case p.topic.state != live, errors.Is(err, kerr.InvalidRecordState):
		// Its locks may have ended meanwhile.
	default:
		r.shareFailed("acknowledgement of "+p.String(), err)
	}
}

// checkShares looks, after a start, at what the share group still is to get: all that
// is there and was not acknowledged, and nothing that was.
func (r *run) checkShares() error {
	if r.mem.groupsRuined || len(r.mem.shares) == 0 || len(r.b.Catalog.Snapshot().GroupConfigs(shareGroup)) == 0 {
		return nil
	}
	const member = "checker"
	for _, s := range r.mem.shares {
		p := s.part
		at := r.find(p)
		if p.topic.state != live || p.damaged || at == nil {
			continue
		}
		ids, err := idsOf(at)
		if err != nil {
			return r.shareTrouble(err)
		}
		comes := map[int64]bool{}
		for {
			got, ok := r.take(member, p, at, 50)
			if !ok {
				return errDisk
			}
			for _, o := range got {
				comes[o] = true
			}
			if len(got) == 0 {
				break
			}
		}
		r.b.Shares.GiveBack(shareGroup, member)
		dead, err := r.deadLetters()
		if err != nil {
			return r.shareTrouble(err)
		}
		for _, o := range slices.Sorted(maps.Keys(ids)) {
			id := ids[o]
			switch {
			case dead[id] > 1:
				return fmt.Errorf("%s: %s at offset %d has %d dead letters", p, id, o, dead[id])
			case o < at.Log.Start(): // deleted, maybe before its dead letter was written
			case s.rejected[o] && dead[id] != 1:
				return fmt.Errorf("%s: %s at offset %d was rejected, and has no dead letter", p, id, o)
			case comes[o] || s.accepted[o] || s.doubt[o] || dead[id] == 1 || p.topic.kind == compacted:
			default:
				return fmt.Errorf("%s: %s at offset %d does not come to the share group any more, and nobody has acknowledged it", p, id, o)
			}
		}
	}
	return nil
}

func (r *run) shareTrouble(err error) error {
	if r.ill() {
		return errDisk
	}
	return err
}

// idsOf are the ids of a partition's records, by offset.
func idsOf(at *broker.Partition) (map[int64]string, error) {
	ids := map[int64]string{}
	for next := at.Log.Start(); next < at.Log.HighWatermark(); {
		b, err := at.Log.Read(next, 64<<10, true)
		if errors.Is(err, kerr.OffsetOutOfRange) {
			next = at.Log.Start() // retention has moved it
			continue
		}
		if err != nil || len(b) == 0 {
			return ids, err
		}
		for len(b) > 0 {
			var batch kafka.Batch
			if batch, b, err = kafka.NextBatch(b); err != nil {
				return nil, err
			}
			for rec, err := range batch.Records(openedLimit) {
				if err != nil {
					return nil, err
				}
				for _, h := range rec.Headers {
					if h.Key == "id" {
						ids[rec.Offset] = string(h.Value)
					}
				}
			}
			next = batch.NextOffset()
		}
	}
	return ids, nil
}

// deadLetters counts the dead letters by the id of the record.
func (r *run) deadLetters() (map[string]int, error) {
	count := map[string]int{}
	at := r.b.Partition(graveyard, 0)
	if at == nil {
		return count, nil
	}
	ids, err := idsOf(at)
	for _, id := range ids {
		count[id]++
	}
	return count, err
}
