package broker

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/plog"
)

// shareBytes is about what a change of a share-partition takes in the log.
const shareBytes = 512

// Acknowledge carries out a member's verdict on records of a partition: all of it or,
// with a code, nothing. closing says that it is in the last request of the member's
// session, gather that the caller calls Store.Flush afterwards, whatever it returns.
// The answer has to wait until pos is durable. It may wait for room in the log, and for
// dead letters to be read.
func (s *Shares) Acknowledge(group, member string, p *Partition, acks []share.Ack, closing, gather bool) (pos plog.Pos, code int16) {
	sp, err := s.find(group, p)
	if err != nil {
		return 0, shareCode(err)
	}
	release := s.b.Store.AwaitReserve(shareBytes)
	defer release()
	sp.mu.Lock()
	if err := sp.open(); err != nil {
		sp.mu.Unlock()
		return 0, shareCode(err)
	}
	submit := s.b.Store.Submit
	if gather {
		submit = s.b.Store.Gather
	}
	out, err := sp.stepBy(submit, share.Acknowledge{Member: member, Acks: acks, Closing: closing})
	pos = sp.answerAt()
	_, dying := sp.m.Dying(1)
	rejected := out.Rejected
	sp.mu.Unlock()
	switch {
	case err != nil:
		return 0, shareCode(err)
	case out.Code != 0:
		return 0, out.Code
	case !dying && !rejected:
		return pos, 0
	}
	if gather {
		s.b.Store.Flush() // nothing that has gathered is left lying while this waits
	}
	buried, err := sp.bury()
	if err != nil && rejected {
		return 0, kerr.InvalidRecordState.Code
	}
	return max(pos, buried), 0
}

// leave takes back what a member holds of the group's partitions.
func (s *Shares) leave(group, member string, lost bool) {
	for _, sp := range s.ofGroup(group) {
		if sp.shard.ready() != nil {
			continue // not to be used, or not before all of its state is read
		}
		sp.mu.Lock()
		holds := !sp.gone && sp.m != nil && sp.m.Holds(member)
		if holds {
			sp.refresh()
			if _, err := sp.step(share.Leave{Member: member, Lost: lost}); err != nil {
				// The locks end by themselves.
				s.b.Log.Warn("what a share consumer had is not given back before its locks end", "group", group, "member", member, "err", err)
			}
		}
		sp.mu.Unlock()
		if holds {
			sp.bury()
		}
	}
}

// Await calls ready once, on a goroutine of its own, when there may be something
// to take of one of the group's partitions, d has passed, ctx is done, or the caller
// says so by calling now; see Await.
func (s *Shares) Await(ctx context.Context, group string, parts []*Partition, d time.Duration, ready func()) (now func()) {
	lists := make([]*waitlist, 0, 2*len(parts))
	for _, p := range parts {
		lists = append(lists, &p.wait)
		if sp, err := s.find(group, p); err == nil {
			lists = append(lists, &sp.wait)
		}
	}
	return await(ctx, lists, d, ready)
}
