package wire

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/catalog"
	sharing "github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// longestMemberID is how long a share member's id may be: a UUID as text.
const longestMemberID = 36

// ShareFetch: v1-2
//
// Behaviour (KIP-932):
//   - Epoch 0 begins a session of the member, -1 ends it, else the request goes on
//     with it. A session also ends with its connection.
//   - Acknowledgements that come along are carried out first, and answered when they
//     are on disk. Apache answers them together with the next records, after
//     max_wait_ms at the latest; here an answer with acknowledgements does not wait.
//   - With nothing to be had the answer waits, up to max_wait_ms, for records, for a
//     lock that ends, or for one that is given back; shorter while the member has
//     records in its hands, for a client acknowledges with its next request.
//   - Membership of the group is not looked at, as in Apache.
//
// Versions:
//   - v2: the acquire mode (KIP-1206); renewed locks (KIP-1222), with which no records
//     are fetched
func (a *api) shareFetch(r *Request, req *kmsg.ShareFetchRequest) Reply {
	resp := req.ResponseKind().(*kmsg.ShareFetchResponse)
	refuse := func(err error) Reply {
		resp.ErrorCode, resp.ErrorMessage = a.code(r, err), explain(err)
		return answer(resp)
	}
	group, member, err := shareMember(req.GroupID, req.MemberID)
	if err != nil {
		return refuse(err)
	}
	if req.IsRenewAck && (req.MaxBytes != 0 || req.MinBytes != 0 || req.MaxRecords != 0 || req.MaxWaitMillis != 0) {
		return refuse(errRenewFetches)
	}
	if req.Version >= 2 && (req.ShareAcquireMode < 0 || req.ShareAcquireMode > 1) {
		return refuse(errAcquireMode)
	}
	add, acks := fetchRefs(req)
	var forget []broker.ShareRef
	for _, t := range req.ForgottenTopicsData {
		for _, p := range t.Partitions {
			forget = append(forget, broker.ShareRef{Topic: kafka.UUID(t.TopicID), Partition: p})
		}
	}
	ses, refs, fresh, err := a.broker.Shares.FetchSession(group, member, req.ShareSessionEpoch, add, forget, len(acks) > 0)
	if errors.Is(err, kerr.ShareSessionLimitReached) {
		return a.laterShareError(r, req, resp, err)
	}
	if err != nil {
		return refuse(err)
	}
	if fresh {
		a.endWithConnection(r.Ctx, ses)
	}
	closing := req.ShareSessionEpoch == -1
	f := &shareFetching{api: a, r: r, req: req, resp: resp, session: ses, group: group, member: member}
	f.acks = a.shareAcks(r, group, member, acks, closing, req.Version >= 2 && req.IsRenewAck)
	if closing {
		a.broker.Shares.EndSession(ses, false)
	}
	if !closing && !req.IsRenewAck {
		f.lookUp(refs)
	}
	wait := time.Duration(req.MaxWaitMillis) * time.Millisecond
	f.until = a.broker.Now().Add(wait)
	p, reply := later()
	if f.take() {
		f.finish(p)
		return reply
	}
	f.until = a.broker.Now().Add(a.broker.Shares.Patience(ses, f.known, wait))
	f.park(p)
	return reply
}

var errRenewFetches = catalog.Refuse(kerr.InvalidRequest, "max_bytes, min_bytes, max_records and max_wait_ms must be 0 where is_renew_ack is true.")

var errAcquireMode = catalog.Refuse(kerr.InvalidRequest, "share_acquire_mode must be 0 (whole batches) or 1 (at most max_records).")

// shareMember checks who asks.
func shareMember(group, member *string) (string, string, error) {
	switch {
	case group == nil || *group == "" || len(*group) > math.MaxInt16: // no record could name it
		return "", "", catalog.Refuse(kerr.InvalidRequest, "Invalid group id in the request.")
	case member == nil || *member == "" || len(*member) > longestMemberID:
		return "", "", catalog.Refuse(kerr.InvalidRequest, "Invalid member id in the request.")
	}
	return *group, *member, nil
}

// fetchRefs are the partitions of a request and its acknowledgements.
func fetchRefs(req *kmsg.ShareFetchRequest) (refs []broker.ShareRef, acks []shareAck) {
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			ref := broker.ShareRef{Topic: kafka.UUID(t.TopicID), Partition: p.Partition}
			refs = append(refs, ref)
			if len(p.AcknowledgementBatches) == 0 {
				continue
			}
			batches := make([]sharing.Ack, len(p.AcknowledgementBatches))
			for k, b := range p.AcknowledgementBatches {
				batches[k] = sharing.Ack{First: b.FirstOffset, Last: b.LastOffset, Types: b.AcknowledgeTypes}
			}
			acks = append(acks, shareAck{ref: ref, batches: batches})
		}
	}
	return refs, acks
}

// endWithConnection ends the session when its connection does. A server that stops
// takes nothing back: whatever was out is free when it starts again.
func (a *api) endWithConnection(ctx context.Context, ses *broker.ShareSession) {
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errDraining) {
			return
		}
		if err := guard(func() { a.broker.Shares.EndSession(ses, true) }); err != nil {
			a.log.Error("a share session could not be ended", "err", err)
		}
	})
	a.broker.Shares.OnEnd(ses, func() { stop() })
}

// laterShareError answers with an error after max_wait_ms, so that clients do not
// come back at once.
func (a *api) laterShareError(r *Request, req *kmsg.ShareFetchRequest, resp *kmsg.ShareFetchResponse, err error) Reply {
	resp.ErrorCode, resp.ErrorMessage = a.code(r, err), explain(err)
	p, reply := later()
	broker.Await(r.Ctx, nil, time.Duration(req.MaxWaitMillis)*time.Millisecond, func() { p.Answer(resp) })
	return reply
}

// sharePart is a partition that a share fetch reads.
type sharePart struct {
	ref   broker.ShareRef
	part  *broker.Partition
	err   error
	taken broker.ShareTaken
}

// shareFetching is one ShareFetch on its way.
type shareFetching struct {
	api           *api
	r             *Request
	req           *kmsg.ShareFetchRequest
	resp          *kmsg.ShareFetchResponse
	session       *broker.ShareSession
	group, member string
	acks          []shareAck
	parts         []sharePart
	known         []*broker.Partition
	until         time.Time
	look          sync.Mutex // held while park looks
}

// lookUp finds the partitions.
func (f *shareFetching) lookUp(refs []broker.ShareRef) {
	f.parts = make([]sharePart, len(refs))
	for i, ref := range refs {
		sp := &f.parts[i]
		sp.ref = ref
		if sp.part, sp.err = f.api.partition(true, "", ref.Topic, ref.Partition); sp.err == nil {
			sp.err = storage(sp.part)
		}
		if sp.err == nil {
			f.known = append(f.known, sp.part)
		}
	}
}

// take acquires what there is. It reports whether the answer need not wait.
func (f *shareFetching) take() bool {
	if f.over() {
		return true
	}
	now := f.req.MaxWaitMillis <= 0 || len(f.known) == 0 || len(f.acks) > 0 || !f.api.broker.Now().Before(f.until)
	if !now && !f.enough() {
		return false
	}
	bytes, records := min(int(f.req.MaxBytes), f.api.fetchMaxBytes, f.r.charge.MostBytes()), int(f.req.MaxRecords)
	some := false
	for i := range f.parts {
		sp := &f.parts[i]
		if sp.err != nil || records <= 0 || bytes <= 0 {
			continue
		}
		sp.taken, sp.err = f.api.broker.Shares.Take(f.group, f.member, sp.part, broker.ShareLimits{
			Mode: sharing.Mode(f.req.ShareAcquireMode), MaxRecords: records, BatchSize: int(f.req.BatchSize), MaxBytes: bytes, First: !some,
		})
		some = some || sp.err != nil || sp.taken.Count > 0
		records -= sp.taken.Count
		bytes -= sp.taken.Records.Size()
	}
	if some || len(f.acks) > 0 {
		f.api.broker.Shares.Served(f.session)
	}
	if some && f.over() && !f.api.broker.Shares.Replaced(f.session) {
		// The session may have ended before these were taken for it. Beside another one
		// of the member they stay with it until their locks end.
		f.api.broker.Shares.GiveBack(f.group, f.member)
	}
	return some || now
}

// over says that nobody can use records any more: the session has ended, or its
// connection. What a member gives back when it goes wakes its own fetch, too.
func (f *shareFetching) over() bool {
	return f.r.Ctx.Err() != nil || f.api.broker.Shares.Ended(f.session)
}

// enough reports whether there are min_bytes.
func (f *shareFetching) enough() bool {
	want := min(int(f.req.MinBytes), int(f.req.MaxBytes), f.api.fetchMaxBytes)
	for _, p := range f.known {
		if want <= 1 {
			return true
		}
		want -= f.api.broker.Shares.Waiting(f.group, p, want)
	}
	return want <= 1
}

// park answers when there is something, looking again at every change.
func (f *shareFetching) park(p *Pending) {
	f.look.Lock()
	defer f.look.Unlock()
	// While this looks, the waiter may be woken already: it takes when the look is over.
	done := false
	now := f.api.broker.Shares.Await(f.r.Ctx, f.group, f.known, f.until.Sub(f.api.broker.Now()), func() {
		if err := guard(func() {
			f.look.Lock()
			enough := done || f.take()
			f.look.Unlock()
			if enough {
				f.finish(p)
			} else {
				f.park(p)
			}
		}); err != nil {
			p.HangUp(err)
		}
	})
	if done = f.take(); done {
		now()
	}
}

// finish answers when all that the answer tells is on disk.
func (f *shareFetching) finish(p *Pending) {
	var pos plog.Pos
	for i := range f.parts {
		pos = max(pos, f.parts[i].taken.Pos)
	}
	for i := range f.acks {
		pos = max(pos, f.acks[i].pos)
	}
	if pos == 0 {
		p.Answer(f.fill(nil))
		return
	}
	f.api.broker.Store.WhenDurable(pos, func(err error) { p.Answer(f.fill(err)) })
}

// fill makes the answer; failed is why what it would tell did not get to the disk.
func (f *shareFetching) fill(failed error) kmsg.Response {
	out := &shareFetchAnswer{ShareFetchResponse: f.resp}
	f.resp.AcquisitionLockTimeoutMillis = int32(f.api.broker.Shares.LockDuration(f.group).Milliseconds())
	for i := range f.parts {
		sp := &f.parts[i]
		if failed != nil {
			sp.taken.Records.Release()
			sp.taken, sp.err = broker.ShareTaken{}, failed
		}
		if sp.err == nil && sp.taken.Count == 0 {
			continue
		}
		rp := out.partition(sp.ref)
		rp.ErrorCode, rp.ErrorMessage = f.api.code(f.r, sp.err), explain(sp.err)
		for _, g := range sp.taken.Acquired {
			got := kmsg.NewShareFetchResponseTopicPartitionAcquiredRecord()
			got.FirstOffset, got.LastOffset, got.DeliveryCount = g.First, g.Last, g.Count
			rp.AcquiredRecords = append(rp.AcquiredRecords, got)
		}
		out.records[len(out.records)-1] = sp.taken.Records
	}
	for i := range f.acks {
		ack := &f.acks[i]
		rp := out.partition(ack.ref)
		rp.AcknowledgeErrorCode, rp.AcknowledgeErrorMessage = f.api.ackResult(f.r, ack, failed)
	}
	return out
}
