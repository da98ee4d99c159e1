package wire

import (
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/plog"
)

var errReplica = errors.New("the request comes from a follower (replica id); this broker has none")

// Fetch: v4-18
//
// Behaviour:
//   - Whole batches, the first one being the one that holds the offset; nothing at
//     or above the high watermark, which is the durable end.
//   - The first batch comes whole even when it is larger than all limits (KIP-74).
//   - With less than min_bytes to be had the answer waits, up to max_wait_ms, for
//     a change of one of the partitions.
//   - Sessions (KIP-227): see fetch_session.go.
//   - read_committed sees nothing at or above the last stable offset, and is told the
//     aborted transactions in what it gets, by first offset; for read_uncommitted the
//     list is null.
//
// Versions:
//   - v5: log start offset; v7: sessions; v9: the leader epoch is checked (KIP-320)
//   - v10: the client knows zstd (KIP-110; batches go out as they are in older
//     versions, too, since Kafka 4's do: kafka-python 2.0.2 asks in v4 and reads
//     zstd); v11: rack (KIP-392); v12: flexible, diverging epochs
//   - v13: topic ids (KIP-516); v15: replica state; v16: node endpoints (KIP-951)
//   - v17: directory ids, v18: high watermark of followers
func (a *api) fetch(r *Request, req *kmsg.FetchRequest) Reply {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	if req.ReplicaID >= 0 {
		return hangUp(errReplica)
	}
	s, err := a.sessions.open(req, a.broker.Now())
	if err != nil {
		resp.ErrorCode = a.code(r, err)
		return answer(resp)
	}
	f := &fetching{api: a, r: r, req: req, resp: resp, session: s}
	// More than the quota allows at once is never got: it is not asked of the log, either.
	f.most = min(int(req.MaxBytes), a.fetchMaxBytes, r.charge.MostBytes())
	f.known = f.lookUp()
	f.until = a.broker.Now().Add(time.Duration(req.MaxWaitMillis) * time.Millisecond)
	if f.enough() {
		return answer(f.fill())
	}
	p, reply := later()
	f.park(p)
	return reply
}

// fetching is one fetch on its way.
type fetching struct {
	api     *api
	r       *Request
	req     *kmsg.FetchRequest
	resp    *kmsg.FetchResponse
	session *fetchSession
	most    int // bytes of records
	known   int // partitions that were there when it came
	until   time.Time
	look    sync.Mutex // held while park looks at the session
}

// lookUp notes which partitions are there. Others get their error in the answer,
// but the answer does not come sooner for them unless nothing else is asked for: as
// with Kafka, a client that goes on asking for a topic that is gone does not spin.
func (f *fetching) lookUp() (known int) {
	version := f.api.broker.TopicsVersion()
	for _, fp := range f.session.parts {
		part, err := f.partition(fp)
		if fp.unknown = err != nil; !fp.unknown {
			known++
		}
		fp.part, fp.foundIn = part, version
	}
	return known
}

// partition looks the partition up, unless nothing has changed since the last time.
func (f *fetching) partition(fp *fetchPart) (*broker.Partition, error) {
	if fp.part != nil && fp.foundIn == f.api.broker.TopicsVersion() {
		return fp.part, nil
	}
	return f.api.partition(f.req.Version >= 13, fp.topic, fp.id, fp.partition)
}

// enough reports whether the answer need not wait: it has min_bytes, something
// to complain about, or nobody to wait for it.
func (f *fetching) enough() bool {
	// More than max_bytes cannot come, whatever min_bytes says.
	want := min(int(f.req.MinBytes), f.most)
	if f.req.MaxWaitMillis <= 0 || want <= 0 || f.known == 0 || f.r.Ctx.Err() != nil || !f.api.broker.Now().Before(f.until) {
		return true
	}
	for _, fp := range f.session.parts {
		if fp.unknown {
			continue
		}
		part, err := f.find(fp)
		if err != nil || fp.offset < part.Log.Start() || fp.offset > part.Log.HighWatermark() {
			return true
		}
		if _, _, diverges := f.diverges(part, fp); diverges {
			return true
		}
		limit := f.limit(part)
		if fp.offset >= limit {
			continue
		}
		if want -= part.Log.Available(fp.offset, limit, want); want <= 0 {
			return true
		}
	}
	return false
}

// park answers when there is enough, looking again at every change.
func (f *fetching) park(p *Pending) {
	var parts []*broker.Partition
	for _, fp := range f.session.parts {
		if part, err := f.find(fp); err == nil {
			parts = append(parts, part)
		}
	}
	// While this looks, the waiter may be woken already: it fills the answer when
	// the look is over.
	f.look.Lock()
	defer f.look.Unlock()
	now := broker.Await(f.r.Ctx, parts, f.until.Sub(f.api.broker.Now()), func() {
		if err := guard(func() {
			f.look.Lock()
			enough := f.enough()
			f.look.Unlock()
			if enough {
				p.Answer(f.fill())
			} else {
				f.park(p)
			}
		}); err != nil {
			p.HangUp(err)
		}
	})
	if f.enough() {
		now()
	}
}

// find returns the partition if it can be read as the client believes it to be.
func (f *fetching) find(fp *fetchPart) (*broker.Partition, error) {
	part, err := f.partition(fp)
	if err == nil {
		err = f.api.checkEpoch(part, fp.epoch)
	}
	if err == nil {
		err = storage(part)
	}
	return part, err
}

// mostPinned is of how many partitions an answer keeps the files open until it is sent.
const mostPinned = 64

// fill makes the answer of what there is now, or of nothing when the client has to wait.
func (f *fetching) fill() *fetchAnswer {
	if f.r.charge == nil {
		out := f.collect()
		f.session.answered()
		return out
	}
	undo := f.session.remember()
	out := f.collect()
	wait, give := f.r.charge.Fetched(func() int { return answerSize(out) })
	if !give {
		undo()
		out.release()
		out = f.nothing()
	}
	out.SetThrottle(waitMillis(wait))
	f.session.answered()
	return out
}

// nothing is the answer to a client that has to wait before it gets records. A session
// that it wanted to begin is not begun, as in Kafka.
func (f *fetching) nothing() *fetchAnswer {
	resp := f.req.ResponseKind().(*kmsg.FetchResponse)
	if f.session.incremental {
		resp.SessionID = f.session.id
	} else {
		f.api.sessions.forget(f.session)
	}
	return &fetchAnswer{FetchResponse: resp, records: []plog.Records{}}
}

// collect makes the answer of what there is now.
func (f *fetching) collect() *fetchAnswer {
	resp := f.resp
	out := &fetchAnswer{FetchResponse: resp, records: []plog.Records{}}
	resp.SessionID = f.session.id
	left, total := f.most, 0
	var topic *kmsg.FetchResponseTopic
	for _, fp := range f.session.parts {
		if f.quiet(fp) {
			continue
		}
		rp, records := f.read(fp, left, total == 0)
		total += records.Size()
		left = max(0, left-records.Size())
		if !f.session.tells(fp, &rp, records.Size()) {
			continue
		}
		if len(out.records) >= mostPinned {
			records.Unpin()
		}
		out.records = append(out.records, records)
		if topic == nil || topic.Topic != fp.topic || topic.TopicID != fp.id {
			t := kmsg.NewFetchResponseTopic()
			t.Topic, t.TopicID = fp.topic, fp.id
			resp.Topics = append(resp.Topics, t)
			topic = &resp.Topics[len(resp.Topics)-1]
		}
		topic.Partitions = append(topic.Partitions, rp)
	}
	return out
}

// quiet reports whether there is nothing about the partition that the client does not
// know: most partitions of a large session, most of the time.
func (f *fetching) quiet(fp *fetchPart) bool {
	if !f.session.incremental || !fp.told || fp.hadRecordsNow {
		return false
	}
	part, err := f.find(fp)
	if err != nil || part.Log.HighWatermark() != fp.offset || fp.toldHW != fp.offset || part.Log.Start() != fp.toldLogStart {
		return false
	}
	_, _, diverges := f.diverges(part, fp)
	return !diverges
}

func (f *fetching) read(fp *fetchPart, left int, first bool) (rp kmsg.FetchResponseTopicPartition, records plog.Records) {
	rp = kmsg.NewFetchResponseTopicPartition()
	rp.Partition, rp.HighWatermark, rp.LogStartOffset = fp.partition, -1, -1
	if f.committed() {
		rp.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
	}
	part, err := f.find(fp)
	if err == nil {
		records, err = f.readInto(&rp, part, fp, left, first)
	}
	if err != nil {
		rp.ErrorCode = f.api.code(f.r, err)
		rp.LogStartOffset = -1
		// As Kafka has it: null where the log was asked, empty where there is none.
		rp.AbortedTransactions = nil
		if part == nil {
			rp.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
		}
	}
	return rp, records
}

func (f *fetching) readInto(rp *kmsg.FetchResponseTopicPartition, part *broker.Partition, fp *fetchPart, left int, first bool) (none plog.Records, _ error) {
	// The log start before the records and the high watermark after them: both only
	// move forward, so what is told fits to what is read.
	rp.LogStartOffset = part.Log.Start()
	if epoch, end, diverges := f.diverges(part, fp); diverges {
		if end < 0 || fp.offset < rp.LogStartOffset {
			return none, kerr.OffsetOutOfRange
		}
		rp.DivergingEpoch.Epoch, rp.DivergingEpoch.EndOffset = epoch, end
		rp.AbortedTransactions = nil // nothing was read
		rp.LastStableOffset = part.Log.LastStable()
		rp.HighWatermark = part.Log.HighWatermark()
		return none, nil
	}
	fetch := part.Log.Fetch
	if f.committed() {
		fetch = part.Log.FetchStable
	}
	tried := left > 0 && f.limit(part) > fp.offset
	records, err := fetch(fp.offset, min(int(fp.maxBytes), left), first)
	switch {
	case err != nil || !f.committed():
	case records.Size() > 0:
		err = aborted(rp, part, fp.offset, records.Next())
	case tried: // what is there did not fit: Kafka has no list then
		rp.AbortedTransactions = nil
	}
	if err != nil {
		records.Release()
		return none, err
	}
	rp.LastStableOffset = part.Log.LastStable()
	rp.HighWatermark = part.Log.HighWatermark()
	return records, nil
}

// committed says whether only committed data is asked for (KIP-98).
func (f *fetching) committed() bool { return f.req.IsolationLevel == 1 }

// limit is where that which the client may see ends.
func (f *fetching) limit(part *broker.Partition) int64 {
	if f.committed() {
		return part.Log.LastStable()
	}
	return part.Log.HighWatermark()
}

// aborted tells the client which transactions in from..to it has to leave out.
func aborted(rp *kmsg.FetchResponseTopicPartition, part *broker.Partition, from, to int64) error {
	txns, err := part.Log.Aborted(from, to)
	for _, t := range txns {
		at := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
		at.ProducerID, at.FirstOffset = t.ProducerID, t.First
		rp.AbortedTransactions = append(rp.AbortedTransactions, at)
	}
	return err
}

// diverges tells whether the client's log and ours part: the epoch that it last
// read from ends sooner here (KIP-595). It may then keep what is below the end;
// end is -1 when no such epoch is known here.
func (f *fetching) diverges(part *broker.Partition, fp *fetchPart) (epoch int32, end int64, yes bool) {
	if fp.fetchedEpoch < 0 {
		return -1, -1, false
	}
	epoch, end = part.EpochEnd(fp.fetchedEpoch, f.api.broker.Epoch)
	return epoch, end, epoch < fp.fetchedEpoch || end < fp.offset
}
