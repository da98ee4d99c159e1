package wire

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/vfs"
)

// acknowledge is a ShareAcknowledge of u-0, or of the topic that s reads, with one type
// for the range; what comes back are the codes of the request and of the partition.
func (s *shareReader) acknowledge(first, last int64, typ int8) (code, part int16) {
	s.c.t.Helper()
	group := "q"
	req := kmsg.NewPtrShareAcknowledgeRequest()
	req.GroupID, req.MemberID, req.ShareSessionEpoch = &group, &s.member, s.epoch
	rt := kmsg.NewShareAcknowledgeRequestTopic()
	rt.TopicID = s.topic
	rp := kmsg.NewShareAcknowledgeRequestTopicPartition()
	rb := kmsg.NewShareAcknowledgeRequestTopicPartitionAcknowledgementBatch()
	rb.FirstOffset, rb.LastOffset, rb.AcknowledgeTypes = first, last, []int8{typ}
	rp.AcknowledgementBatches = append(rp.AcknowledgementBatches, rb)
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	res := ask[*kmsg.ShareAcknowledgeResponse](s.c, req, 2)
	if res.ErrorCode != 0 {
		return res.ErrorCode, 0
	}
	s.epoch++
	return 0, res.Topics[0].Partitions[0].ErrorCode
}

// What a consumer acknowledges that waits for the answer is flushed and answered by the
// goroutine that has read it, whether it comes by itself or with the next fetch. A dead
// letter goes out all the same, and a failed sync is told.
func TestLoneAcknowledgementIsFlushedByItsReader(t *testing.T) {
	t.Parallel()
	f := newFlushers(t)
	var values []string
	for i := range 400 {
		values = append(values, fmt.Sprint(i))
	}
	topic := f.topic("jobs", 1)
	f.topic("dlq.jobs", 1, "errors.deadletterqueue.group.enable", "true")
	f.put(f.dial(), "jobs", values...)
	if err := f.broker.SetGroupConfigs("q", false, func(map[string]string) (map[string]string, error) {
		return map[string]string{"share.auto.offset.reset": "earliest", "errors.deadletterqueue.topic.name": "dlq.jobs"}, nil
	}); err != nil {
		t.Fatal(err)
	}
	s := &shareReader{c: f.dialTCP(), member: "m", topic: topic}
	limit := func(r *kmsg.ShareFetchRequest) { r.ShareAcquireMode = 1 }
	take := func(n int32, acks ...kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch) []int64 {
		t.Helper()
		res := s.fetch(n, limit, acks...)
		o, _ := got(res)
		mustCode(t, "fetch", res.Topics[0].Partitions[0].AcknowledgeErrorCode, nil)
		return o
	}
	if o := take(2); !slices.Equal(o, []int64{0, 1}) {
		t.Fatalf("%v came", o)
	}
	// The flusher may still be on its way to bed after what came before.
	next := int64(0)
	for by := f.flushed(); len(by) != 1 || !by[0]; by = f.flushed() {
		if o := take(1, ackOf(next, next, 1)); !slices.Equal(o, []int64{next + 2}) {
			t.Fatalf("%v came after %d", o, next)
		}
		next++
	}
	for range 5 {
		if o := take(1, ackOf(next, next, 1)); !slices.Equal(o, []int64{next + 2}) {
			t.Errorf("%v came after %d", o, next)
		}
		if by := f.flushed(); len(by) != 1 || !by[0] {
			t.Errorf("with a fetch: flushed by its reader: %v, want once", by)
		}
		code, part := s.acknowledge(next+1, next+1, 1)
		mustCode(t, "acknowledge", code, nil)
		mustCode(t, "acknowledge", part, nil)
		if by := f.flushed(); len(by) != 1 || !by[0] {
			t.Errorf("by itself: flushed by its reader: %v, want once", by)
		}
		next += 2
		if o := take(1); !slices.Equal(o, []int64{next + 1}) {
			t.Errorf("%v came, want %d", o, next+1)
		}
	}
	code, part := s.acknowledge(next, next, 3)
	mustCode(t, "reject", code, nil)
	mustCode(t, "reject", part, nil)
	if n := end(f.dial(), "dlq.jobs"); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
	f.disk.Add(vfs.Rule{Op: vfs.OpSync, Name: "00000001.wal", Err: syscall.EIO})
	_, part = s.acknowledge(next+1, next+1, 1)
	mustCode(t, "a failed sync", part, kerr.KafkaStorageError)
}
