package wire

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// shareReader is a share consumer of single requests.
type shareReader struct {
	c      *client
	b      *groupBench
	member string
	epoch  int32
	topic  kafka.UUID // of u
}

func (b *groupBench) shareReader(member string) *shareReader {
	return &shareReader{c: b.dial(), b: b, member: member, topic: b.broker.Catalog.Snapshot().Topic("u").ID}
}

// ackOf acknowledges a range with one type.
func ackOf(first, last int64, typ int8) kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch {
	a := kmsg.NewShareFetchRequestTopicPartitionAcknowledgementBatch()
	a.FirstOffset, a.LastOffset, a.AcknowledgeTypes = first, last, []int8{typ}
	return a
}

// fetch reads up to n records of u-0 with acknowledgements, in the next request of the
// session; edit changes the request.
func (s *shareReader) fetch(n int32, edit func(*kmsg.ShareFetchRequest), acks ...kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch) *kmsg.ShareFetchResponse {
	s.c.t.Helper()
	req := kmsg.NewPtrShareFetchRequest()
	group := "q"
	req.GroupID, req.MemberID, req.ShareSessionEpoch = &group, &s.member, s.epoch
	req.MaxBytes, req.MaxRecords, req.BatchSize = 1<<20, n, n
	t := kmsg.NewShareFetchRequestTopic()
	t.TopicID = s.topic
	p := kmsg.NewShareFetchRequestTopicPartition()
	p.AcknowledgementBatches = acks
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	if edit != nil {
		edit(req)
	}
	res := ask[*kmsg.ShareFetchResponse](s.c, req, 2)
	if res.ErrorCode == 0 && s.epoch >= 0 {
		s.epoch++
	}
	return res
}

// got are the offsets that an answer gives, with the delivery count of the last.
func got(res *kmsg.ShareFetchResponse) (out []int64, count int16) {
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			for _, a := range p.AcquiredRecords {
				for o := a.FirstOffset; o <= a.LastOffset; o++ {
					out = append(out, o)
				}
				count = a.DeliveryCount
			}
		}
	}
	return out, count
}

func newShareWire(t *testing.T, configs map[string]string) *groupBench {
	b := newGroupBench(t)
	set := map[string]string{"share.auto.offset.reset": "earliest"}
	for k, v := range configs {
		set[k] = v
	}
	b.setGroup(t, "q", set)
	cl := b.franz(t, kgo.DefaultProduceTopic("u"))
	var rs []*kgo.Record
	for range 10 {
		rs = append(rs, &kgo.Record{Value: []byte("v")})
	}
	if err := cl.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestShareFetchSessions(t *testing.T) {
	b := newShareWire(t, nil)
	a := b.shareReader("a")
	for _, c := range []struct {
		what  string
		epoch int32
		edit  func(*kmsg.ShareFetchRequest)
		want  *kerr.Error
	}{
		{"no session", 1, nil, kerr.ShareSessionNotFound},
		{"the end of none", -1, nil, kerr.ShareSessionNotFound},
		{"no group", 0, func(r *kmsg.ShareFetchRequest) { r.GroupID = nil }, kerr.InvalidRequest},
		{"no member", 0, func(r *kmsg.ShareFetchRequest) { r.MemberID = nil }, kerr.InvalidRequest},
		{"acknowledgements at the beginning", 0, func(r *kmsg.ShareFetchRequest) {
			r.Topics[0].Partitions[0].AcknowledgementBatches = append(r.Topics[0].Partitions[0].AcknowledgementBatches, ackOf(0, 0, 1))
		}, kerr.InvalidRequest},
		{"a renewal that fetches", 0, func(r *kmsg.ShareFetchRequest) { r.IsRenewAck = true }, kerr.InvalidRequest},
	} {
		a.epoch = c.epoch
		if res := a.fetch(1, c.edit); res.ErrorCode != c.want.Code {
			t.Errorf("%s: %v, want %v", c.what, kerr.ErrorForCode(res.ErrorCode), c.want)
		}
	}
	a.epoch = 0
	res := a.fetch(3, func(r *kmsg.ShareFetchRequest) { r.ShareAcquireMode = 1 })
	if o, n := got(res); !slices.Equal(o, []int64{0, 1, 2}) || n != 1 || res.AcquisitionLockTimeoutMillis != 30000 {
		t.Errorf("first fetch: %v, count %d, lock %d ms", o, n, res.AcquisitionLockTimeoutMillis)
	}
	if len(res.Topics[0].Partitions[0].Records) == 0 {
		t.Error("no records come along")
	}
	a.epoch = 7
	if res := a.fetch(1, nil); res.ErrorCode != kerr.InvalidShareSessionEpoch.Code {
		t.Errorf("another epoch: %v", kerr.ErrorForCode(res.ErrorCode))
	}
	a.epoch = 1
	res = a.fetch(0, nil, ackOf(0, 0, 1), ackOf(1, 1, 9))
	if p := res.Topics[0].Partitions[0]; p.AcknowledgeErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("a type that does not exist: %v", kerr.ErrorForCode(p.AcknowledgeErrorCode))
	}
	res = a.fetch(0, nil, ackOf(0, 0, 1))
	if p := res.Topics[0].Partitions[0]; p.AcknowledgeErrorCode != 0 || p.ErrorCode != 0 {
		t.Errorf("accept: %v", kerr.ErrorForCode(p.AcknowledgeErrorCode))
	}
	// A topic that is not there answers for itself.
	res = a.fetch(0, func(r *kmsg.ShareFetchRequest) { r.Topics[0].TopicID = [16]byte{1, 2, 3} })
	if i := slices.IndexFunc(res.Topics, func(t kmsg.ShareFetchResponseTopic) bool { return t.TopicID == [16]byte{1, 2, 3} }); i < 0 || res.Topics[i].Partitions[0].ErrorCode != kerr.UnknownTopicID.Code {
		t.Errorf("an unknown topic: %+v", res.Topics)
	}
	// It closes: what it had is there for others, and has not failed.
	a.epoch = -1
	if res := a.fetch(0, nil, ackOf(1, 1, 2)); res.ErrorCode != 0 {
		t.Errorf("close: %v", kerr.ErrorForCode(res.ErrorCode))
	}
	o := b.shareReader("b")
	if got, n := got(o.fetch(2, func(r *kmsg.ShareFetchRequest) { r.ShareAcquireMode = 1 })); !slices.Equal(got, []int64{1, 2}) || n != 2 {
		t.Errorf("another member: %v, count %d", got, n)
	}
}

// A connection that is lost ends its session: others get what the member had, and the
// delivery has failed.
func TestShareFetchOfALostConnection(t *testing.T) {
	b := newShareWire(t, map[string]string{"share.delivery.count.limit": "2"})
	wait := func(r *kmsg.ShareFetchRequest) { r.MaxWaitMillis = 20_000 }
	a := b.shareReader("a")
	if o, _ := got(a.fetch(10, nil)); len(o) != 10 {
		t.Fatalf("%v came", o)
	}
	a.c.nc.Close()
	w := b.shareReader("w")
	if o, n := got(w.fetch(10, func(r *kmsg.ShareFetchRequest) { wait(r); r.ShareAcquireMode = 1 })); len(o) == 0 || n != 2 {
		t.Fatalf("%v came, count %d", o, n)
	}
	w.fetch(0, nil, ackOf(0, 0, 2)) // the second failure: it is given up
	places := b.places(t, "q")
	if places[0].StartOffset != 1 {
		t.Errorf("the group begins at %d", places[0].StartOffset)
	}
}

// A fetch that waits gets nothing any more when its session was closed meanwhile: what
// others give back is theirs who are still there.
func TestShareFetchWaitsForAClosedSession(t *testing.T) {
	b := newShareWire(t, nil)
	holder, waits := b.shareReader("holder"), b.shareReader("waits")
	if o, _ := got(holder.fetch(10, nil)); len(o) != 10 {
		t.Fatalf("%v came", o)
	}
	if o, _ := got(waits.fetch(10, nil)); len(o) != 0 {
		t.Fatalf("%v came twice", o)
	}
	group := "q"
	req := kmsg.NewPtrShareFetchRequest()
	req.GroupID, req.MemberID, req.ShareSessionEpoch = &group, &waits.member, waits.epoch
	req.MaxBytes, req.MaxRecords, req.BatchSize, req.MaxWaitMillis = 1<<20, 10, 10, 20_000
	req.Version = 2
	waits.c.send(7, req)
	elsewhere := b.shareReader("waits") // the same member, on another connection
	elsewhere.epoch = -1
	elsewhere.fetch(0, nil)
	holder.epoch = -1
	holder.fetch(0, nil)
	if o, _ := got(receive[*kmsg.ShareFetchResponse](waits.c, req)); len(o) != 0 {
		t.Errorf("a closed session got %v", o)
	}
	if o, n := got(b.shareReader("next").fetch(10, nil)); len(o) != 10 || n != 2 {
		t.Errorf("%v are left, count %d", o, n)
	}
}

func TestShareAcknowledge(t *testing.T) {
	b := newShareWire(t, nil)
	a := b.shareReader("a")
	if o, _ := got(a.fetch(10, nil)); len(o) != 10 {
		t.Fatalf("%v came", o)
	}
	group := "q"
	ack := func(version int16, epoch int32, renew bool, first, last int64, typ int8) (int16, int16) {
		req := kmsg.NewPtrShareAcknowledgeRequest()
		req.GroupID, req.MemberID, req.ShareSessionEpoch, req.IsRenewAck = &group, &a.member, epoch, renew
		rt := kmsg.NewShareAcknowledgeRequestTopic()
		rt.TopicID = a.topic
		rp := kmsg.NewShareAcknowledgeRequestTopicPartition()
		rb := kmsg.NewShareAcknowledgeRequestTopicPartitionAcknowledgementBatch()
		rb.FirstOffset, rb.LastOffset, rb.AcknowledgeTypes = first, last, []int8{typ}
		rp.AcknowledgementBatches = append(rp.AcknowledgementBatches, rb)
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		res := ask[*kmsg.ShareAcknowledgeResponse](a.c, req, version)
		if res.ErrorCode != 0 {
			return res.ErrorCode, 0
		}
		return 0, res.Topics[0].Partitions[0].ErrorCode
	}
	for _, c := range []struct {
		what        string
		version     int16
		epoch       int32
		renew       bool
		first, last int64
		typ         int8
		code, part  *kerr.Error
	}{
		{"epoch 0", 2, 0, false, 0, 0, 1, kerr.InvalidShareSessionEpoch, nil},
		{"another epoch", 2, 5, false, 0, 0, 1, kerr.InvalidShareSessionEpoch, nil},
		{"accept", 1, 1, false, 0, 1, 1, nil, nil},
		{"accept again", 1, 2, false, 0, 1, 1, nil, nil}, // before the start: done
		{"renew in v1", 1, 3, false, 2, 3, 4, nil, kerr.InvalidRequest},
		{"renew", 2, 4, true, 2, 3, 4, nil, nil},
		{"beyond", 2, 5, false, 9, 12, 1, nil, kerr.InvalidRequest},
		{"accept", 2, 6, false, 4, 4, 1, nil, nil},
		{"accept again", 2, 7, false, 4, 4, 1, nil, kerr.InvalidRecordState},
		{"the last", 2, -1, false, 5, 5, 2, nil, nil},
		{"none after it", 2, 8, false, 6, 6, 1, kerr.ShareSessionNotFound, nil},
	} {
		code, part := ack(c.version, c.epoch, c.renew, c.first, c.last, c.typ)
		if kerr.ErrorForCode(code) != asError(c.code) || kerr.ErrorForCode(part) != asError(c.part) {
			t.Errorf("%s: %v, %v", c.what, kerr.ErrorForCode(code), kerr.ErrorForCode(part))
		}
	}
	o, _ := got(b.shareReader("b").fetch(10, nil))
	if want := []int64{2, 3, 5, 6, 7, 8, 9}; !slices.Equal(o, want) {
		t.Errorf("then another gets %v, want %v", o, want)
	}
}

func asError(e *kerr.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// An acquire mode that is none is refused, and the session does not go on with it.
func TestShareFetchAcquireMode(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	s := b.shareReader("m")
	for _, mode := range []int8{-1, 2} {
		res := s.fetch(1, func(req *kmsg.ShareFetchRequest) { req.ShareAcquireMode = mode })
		mustCode(t, "mode", res.ErrorCode, kerr.InvalidRequest)
	}
	mustCode(t, "the first of the session", s.fetch(1, nil).ErrorCode, nil)
}
