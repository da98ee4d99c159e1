package wire

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// setGroup sets configs of a group.
func (b *groupBench) setGroup(t *testing.T, group string, configs map[string]string) {
	t.Helper()
	if err := b.broker.SetGroupConfigs(group, false, func(map[string]string) (map[string]string, error) { return configs, nil }); err != nil {
		t.Fatal(err)
	}
}

// sharer is a share consumer of franz-go.
type sharer struct {
	t  *testing.T
	cl *kgo.Client
}

func (b *groupBench) sharer(t *testing.T, group string, opts ...kgo.Opt) *sharer {
	return &sharer{t, b.franz(t, append([]kgo.Opt{kgo.ConsumeTopics("t"), kgo.ShareGroup(group)}, opts...)...)}
}

// take polls until it has n records, and returns them by value.
func (s *sharer) take(n int) map[string]*kgo.Record {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	out := map[string]*kgo.Record{}
	for count := 0; count < n; {
		fs := s.cl.PollFetches(ctx)
		if ctx.Err() != nil {
			s.t.Fatalf("%d of %d records came", count, n)
		}
		fs.EachRecord(func(r *kgo.Record) {
			count++
			if out[string(r.Value)] != nil {
				s.t.Errorf("record %s came twice", r.Value)
			}
			out[string(r.Value)] = r
		})
	}
	return out
}

func (s *sharer) flush() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	if err := s.cl.FlushAcks(ctx); err != nil {
		s.t.Fatal(err)
	}
}

func values(rs map[string]*kgo.Record) []int {
	var out []int
	for v := range rs {
		n, _ := strconv.Atoi(v)
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// What was accepted or rejected never comes back, also after a kill; what was released
// does, counted.
func TestShareConsumerOfFranz(t *testing.T) {
	b := newGroupBench(t)
	b.setGroup(t, "q", map[string]string{"share.auto.offset.reset": "earliest"})
	cl := b.franz(t)
	produce(t, cl, "t", 0, 30)

	s := b.sharer(t, "q")
	got := s.take(30)
	for v, r := range got {
		switch n, _ := strconv.Atoi(v); {
		case r.DeliveryCount() != 1:
			t.Errorf("record %s has delivery count %d", v, r.DeliveryCount())
		case n < 10:
			r.Ack(kgo.AckAccept)
		case n < 20:
			r.Ack(kgo.AckReject)
		default:
			r.Ack(kgo.AckRelease)
		}
	}
	s.flush()
	again := s.take(10)
	for v, r := range again {
		if n, _ := strconv.Atoi(v); n < 20 || r.DeliveryCount() != 2 {
			t.Errorf("record %s came again, delivery count %d", v, r.DeliveryCount())
		}
		if n, _ := strconv.Atoi(v); n < 25 {
			r.Ack(kgo.AckAccept)
		}
	}
	s.flush()
	s.cl.Close() // which hands back what it has not acknowledged
	b.kill(t)
	produce(t, cl, "t", 30, 5)
	s2 := b.sharer(t, "q")
	last := s2.take(10)
	if want := []int{25, 26, 27, 28, 29, 30, 31, 32, 33, 34}; !slices.Equal(values(last), want) {
		t.Errorf("after the kill came %v, want %v", values(last), want)
	}
	for _, r := range last {
		r.Ack(kgo.AckAccept)
	}
	s2.flush()
	for _, p := range b.places(t, "q") {
		if p.Lag != 0 {
			t.Errorf("partition %d has lag %d, start %d", p.Partition, p.Lag, p.StartOffset)
		}
	}
}

func (b *groupBench) places(t *testing.T, group string) []kmsg.DescribeShareGroupOffsetsResponseGroupTopicPartition {
	t.Helper()
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
	g.GroupID = group
	req.Groups = append(req.Groups, g)
	res := ask[*kmsg.DescribeShareGroupOffsetsResponse](b.dial(), req, 1)
	if code := res.Groups[0].ErrorCode; code != 0 || len(res.Groups[0].Topics) != 1 {
		t.Fatalf("describe: %v, %d topics", kerr.ErrorForCode(code), len(res.Groups[0].Topics))
	}
	return res.Groups[0].Topics[0].Partitions
}

// Four consumers share one partition: each record goes to one of them.
func TestShareConsumersOnOnePartition(t *testing.T) {
	b := newGroupBench(t)
	b.setGroup(t, "q", map[string]string{"share.auto.offset.reset": "earliest"})
	cl := b.franz(t)
	const n = 400
	for i := 0; i < n; i += 20 {
		var rs []*kgo.Record
		for j := i; j < i+20; j++ {
			rs = append(rs, &kgo.Record{Topic: "u", Value: []byte(fmt.Sprint(j))})
		}
		if err := cl.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	y := newTally()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 4 {
		s := b.franz(t, kgo.ConsumeTopics("u"), kgo.ShareGroup("q"), kgo.ShareMaxRecords(20))
		go func() {
			for ctx.Err() == nil {
				fs := s.PollFetches(ctx)
				y.mu.Lock()
				fs.EachRecord(func(r *kgo.Record) {
					y.seen[string(r.Value)]++
					r.Ack(kgo.AckAccept)
				})
				y.mu.Unlock()
				select {
				case y.more <- struct{}{}:
				default:
				}
			}
		}()
	}
	for {
		y.mu.Lock()
		all := len(y.seen)
		y.mu.Unlock()
		if all == n {
			break
		}
		select {
		case <-y.more:
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d records came", all, n)
		}
	}
	for v, times := range y.seen {
		if times != 1 {
			t.Errorf("record %s came %d times", v, times)
		}
	}
}

// A dead letter is the record whole, with what happened to it.
func TestShareDeadLetter(t *testing.T) {
	b := newGroupBench(t)
	b.setGroup(t, "q", map[string]string{"share.auto.offset.reset": "earliest", "errors.deadletterqueue.topic.name": "dlq.t"})
	if err := b.broker.EnsureTopic(t.Context(), "dlq.t", 2, map[string]string{"errors.deadletterqueue.group.enable": "true"}); err != nil {
		t.Fatal(err)
	}
	cl := b.franz(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	when := time.UnixMilli(b.broker.Now().UnixMilli() - 5000)
	rec := &kgo.Record{Topic: "t", Partition: 2, Key: []byte("k"), Value: []byte("7"), Timestamp: when,
		Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-1")}, {Key: "none"}}}
	if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s := b.sharer(t, "q")
	s.take(1)["7"].Ack(kgo.AckReject)
	s.flush()
	b.kill(t)
	dead := b.franz(t, kgo.ConsumeTopics("dlq.t"))
	fs := dead.PollFetches(t.Context())
	if fs.NumRecords() != 1 {
		t.Fatalf("%d dead letters", fs.NumRecords())
	}
	d := fs.Records()[0]
	var headers []string
	for _, h := range d.Headers {
		headers = append(headers, fmt.Sprintf("%s=%s/%v", h.Key, h.Value, h.Value == nil))
	}
	want := []string{"traceparent=00-1/false", "none=/true", "__dlq.errors.topic=t/false", "__dlq.errors.partition=2/false", "__dlq.errors.offset=0/false",
		"__dlq.errors.group=q/false", "__dlq.errors.delivery.count=1/false", "__dlq.errors.message=Offset rejected by client./false"}
	if !slices.Equal(headers, want) || string(d.Key) != "k" || string(d.Value) != "7" || !d.Timestamp.Equal(when) || d.Partition != 0 {
		t.Errorf("dead letter %s=%s of %v in partition %d with\n%q, want\n%q", d.Key, d.Value, d.Timestamp, d.Partition, headers, want)
	}
}

// The administration of share groups.
func TestShareGroupAdmin(t *testing.T) {
	b := newGroupBench(t)
	b.setGroup(t, "q", map[string]string{"share.auto.offset.reset": "earliest"})
	cl := b.franz(t)
	produce(t, cl, "t", 0, 12)
	s := b.sharer(t, "q")
	for _, r := range s.take(12) {
		r.Ack(kgo.AckAccept)
	}
	s.flush()
	c := b.dial()

	list := kmsg.NewPtrListGroupsRequest()
	list.TypesFilter = []string{"Share"}
	if l := ask[*kmsg.ListGroupsResponse](c, list, 5); len(l.Groups) != 1 || l.Groups[0].Group != "q" || l.Groups[0].GroupState != "Stable" || l.Groups[0].GroupType != "share" {
		t.Errorf("list: %+v", l.Groups)
	}
	describe := kmsg.NewPtrShareGroupDescribeRequest()
	describe.GroupIDs, describe.IncludeAuthorizedOperations = []string{"q", "nope", ""}, true
	d := ask[*kmsg.ShareGroupDescribeResponse](c, describe, 1)
	if g := d.Groups[0]; g.ErrorCode != 0 || g.GroupState != "Stable" || len(g.Members) != 1 || g.Assignor != "simple" || len(g.Members[0].Assignment.TopicPartitions[0].Partitions) != 3 {
		t.Errorf("describe: %+v", g)
	}
	if d.Groups[1].ErrorCode != kerr.GroupIDNotFound.Code {
		t.Errorf("describe of no group: %v", d.Groups[1].ErrorCode)
	}
	if d.Groups[0].AuthorizedOperations != groupOperations || d.Groups[2].ErrorCode != kerr.InvalidGroupID.Code {
		t.Errorf("operations %d, of no id: %v", d.Groups[0].AuthorizedOperations, d.Groups[2].ErrorCode)
	}
	nobody := kmsg.NewPtrAlterShareGroupOffsetsRequest()
	if a := ask[*kmsg.AlterShareGroupOffsetsResponse](c, nobody, 0); a.ErrorCode != kerr.InvalidGroupID.Code {
		t.Errorf("altering the offsets of no id: %v", a.ErrorCode)
	}
	nobody.GroupID, nobody.Topics = "nope", []kmsg.AlterShareGroupOffsetsRequestTopic{
		{Topic: "nosuch", Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{}}},
		{Topic: "t", Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{Partition: 99}}},
	}
	if a := ask[*kmsg.AlterShareGroupOffsetsResponse](c, nobody, 0); a.ErrorCode != 0 || a.Topics[1].Partitions[0].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("altering offsets where there are none: %+v", a)
	}
	gone := kmsg.NewPtrShareGroupDescribeRequest()
	gone.GroupIDs = []string{"nope"}
	if d := ask[*kmsg.ShareGroupDescribeResponse](c, gone, 1); d.Groups[0].ErrorCode != kerr.GroupIDNotFound.Code {
		t.Errorf("it has made a group: %+v", d.Groups[0])
	}
	offsets := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	offsets.Groups = []kmsg.DescribeShareGroupOffsetsRequestGroup{{GroupID: "nope"}}
	if o := ask[*kmsg.DescribeShareGroupOffsetsResponse](c, offsets, 1); len(o.Groups) != 1 || o.Groups[0].ErrorCode != 0 || len(o.Groups[0].Topics) != 0 {
		t.Errorf("offsets of no group: %+v", o.Groups)
	}
	alter := kmsg.NewPtrAlterShareGroupOffsetsRequest()
	alter.GroupID = "q"
	at := kmsg.NewAlterShareGroupOffsetsRequestTopic()
	at.Topic = "t"
	for p := range int32(3) {
		ap := kmsg.NewAlterShareGroupOffsetsRequestTopicPartition()
		ap.Partition = p
		at.Partitions = append(at.Partitions, ap)
	}
	alter.Topics = append(alter.Topics, at)
	del := kmsg.NewPtrDeleteGroupsRequest()
	del.Groups = []string{"q"}
	if a := ask[*kmsg.AlterShareGroupOffsetsResponse](c, alter, 0); a.ErrorCode != kerr.NonEmptyGroup.Code {
		t.Errorf("alter with a member: %d", a.ErrorCode)
	}
	if a := ask[*kmsg.DeleteGroupsResponse](c, del, 2); a.Groups[0].ErrorCode != kerr.NonEmptyGroup.Code {
		t.Errorf("delete with a member: %d", a.Groups[0].ErrorCode)
	}
	s.cl.Close()
	if a := ask[*kmsg.AlterShareGroupOffsetsResponse](c, alter, 0); a.ErrorCode != 0 || len(a.Topics[0].Partitions) != 3 || a.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Errorf("alter: %+v", a)
	}
	b.kill(t)
	c = b.dial()
	s = b.sharer(t, "q")
	for _, r := range s.take(12) { // from the beginning again
		if r.DeliveryCount() != 1 {
			t.Errorf("record %s: delivery count %d", r.Value, r.DeliveryCount())
		}
		r.Ack(kgo.AckAccept)
	}
	s.flush()
	s.cl.Close()
	forget := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
	forget.GroupID = "q"
	for _, name := range []string{"t", "u"} {
		ft := kmsg.NewDeleteShareGroupOffsetsRequestTopic()
		ft.Topic = name
		forget.Topics = append(forget.Topics, ft)
	}
	if f := ask[*kmsg.DeleteShareGroupOffsetsResponse](c, forget, 0); f.ErrorCode != 0 || f.Topics[0].ErrorCode != 0 || f.Topics[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("delete offsets: %+v", f)
	}
	s = b.sharer(t, "q")
	for _, r := range s.take(12) {
		r.Ack(kgo.AckAccept)
	}
	s.flush()
	s.cl.Close()
	if a := ask[*kmsg.DeleteGroupsResponse](c, del, 2); a.Groups[0].ErrorCode != 0 {
		t.Errorf("delete: %d", a.Groups[0].ErrorCode)
	}
	b.kill(t)
	if l := ask[*kmsg.ListGroupsResponse](b.dial(), list, 5); len(l.Groups) != 0 {
		t.Errorf("list after the deletion: %+v", l.Groups)
	}
	s = b.sharer(t, "q")
	if got := s.take(12); len(got) != 12 {
		t.Errorf("a new group of the name got %d records", len(got))
	}
}

// A group that reads what is committed gets nothing of transactions that are open or
// were aborted.
func TestShareReadCommitted(t *testing.T) {
	b := newGroupBench(t)
	b.setGroup(t, "q", map[string]string{"share.auto.offset.reset": "earliest", "share.isolation.level": "read_committed"})
	b.setGroup(t, "all", map[string]string{"share.auto.offset.reset": "earliest"})
	cl := b.franz(t, kgo.TransactionalID("x"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for j := range 3 {
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte(fmt.Sprint(10*i + j))}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cl.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	s := b.sharer(t, "q")
	got := s.take(6)
	if want := []int{10, 11, 12, 30, 31, 32}; !slices.Equal(values(got), want) {
		t.Errorf("committed: %v, want %v", values(got), want)
	}
	for _, r := range got {
		r.Ack(kgo.AckAccept)
	}
	s.flush()
	for _, p := range b.places(t, "q") {
		// What the last commit has behind it is a marker, which nobody acknowledges.
		if p.Lag > 1 {
			t.Errorf("partition %d has lag %d", p.Partition, p.Lag)
		}
	}
	if n := len(b.sharer(t, "all").take(12)); n != 12 {
		t.Errorf("all: %d", n)
	}
}
