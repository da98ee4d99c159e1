package broker

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// shareBench is a broker with topic t, of one partition, and a share group q that
// reads it from the start.
type shareBench struct {
	*Broker
	t      *testing.T
	disk   *vfs.Mem
	faulty *vfs.Faulty // around disk
}

func newShareBench(t *testing.T, configs map[string]string) *shareBench {
	b := &shareBench{t: t, disk: vfs.NewMem()}
	b.open()
	if err := b.EnsureTopic(t.Context(), "t", 1, nil); err != nil {
		t.Fatal(err)
	}
	set := map[string]string{"share.auto.offset.reset": "earliest"}
	for k, v := range configs {
		set[k] = v
	}
	if err := b.SetGroupConfigs("q", false, func(map[string]string) (map[string]string, error) { return set, nil }); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *shareBench) open() {
	b.t.Helper()
	b.faulty = vfs.NewFaulty(b.disk)
	br, err := Open(Config{FS: b.faulty, Dir: "/data", Static: map[string]string{
		"share.coordinator.state.topic.num.partitions": "2", "share.coordinator.snapshot.update.records.per.snapshot": "3",
		"group.share.max.share.sessions": "2",
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(br.Abandon)
	b.Broker = br
}

// crash is a loss of power: only what was synced stays.
func (b *shareBench) crash() {
	b.t.Helper()
	disk := b.disk.Crash(vfs.KeepNone, 1)
	b.Abandon()
	b.disk = disk
	b.open()
}

// put appends a batch of n records, and waits until it is on disk.
func (b *shareBench) put(n int) {
	b.t.Helper()
	rs := make([]kafka.Record, n)
	for i := range rs {
		rs[i] = kafka.Record{Timestamp: b.Now().UnixMilli(), Value: []byte(fmt.Sprint(i))}
	}
	done, err := b.Produce(b.t.Context(), b.Partition("t", 0), kafka.Build(kafka.BatchSpec{}, rs))
	if err == nil {
		err = b.Store.Wait(b.t.Context(), done.Pos)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// take acquires up to n records, and waits as the answer would.
func (b *shareBench) take(member string, n int) (got []int64, count int16) {
	b.t.Helper()
	t, err := b.Shares.Take("q", member, b.Partition("t", 0), ShareLimits{Mode: share.RecordLimit, MaxRecords: n, BatchSize: n, MaxBytes: 1 << 20, First: true})
	if err == nil {
		t.Records.Release()
		err = b.Store.Wait(b.t.Context(), t.Pos)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	for _, g := range t.Acquired {
		for o := g.First; o <= g.Last; o++ {
			got = append(got, o)
		}
		count = max(count, g.Count)
	}
	return got, count
}

func (b *shareBench) ack(member string, first, last int64, what share.Type) {
	b.t.Helper()
	pos, code := b.Shares.Acknowledge("q", member, b.Partition("t", 0), []share.Ack{{First: first, Last: last, Types: []int8{int8(what)}}}, false, false)
	if code != 0 {
		b.t.Fatal(kerr.ErrorForCode(code))
	}
	if err := b.Store.Wait(b.t.Context(), pos); err != nil {
		b.t.Fatal(err)
	}
}

func (b *shareBench) expect(what string, got, want []int64) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// What was answered survives the loss of power; what was not acknowledged comes again.
func TestShareStateSurvivesCrash(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, nil)
	b.put(10)
	got, _ := b.take("a", 10)
	b.expect("first", got, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	b.ack("a", 0, 1, share.Accept)
	b.ack("a", 4, 4, share.Accept)
	b.ack("a", 6, 6, share.Release)
	b.ack("a", 8, 8, share.Reject)
	b.crash()
	got, count := b.take("b", 100)
	b.expect("after the crash", got, []int64{2, 3, 5, 6, 7, 9})
	if count != 2 {
		t.Errorf("the record that was released has delivery count %d", count)
	}
	for i := range int64(10) { // snapshots among the updates
		if !slices.Contains([]int64{0, 1, 4, 8}, i) {
			b.ack("b", i, i, share.Accept)
		}
	}
	b.put(2)
	b.crash()
	got, _ = b.take("c", 100)
	b.expect("after the second crash", got, []int64{10, 11})
}

// Where a group begins is on disk before the first record is out: latest does not
// become later.
func TestShareBeginningSurvivesCrash(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, map[string]string{"share.auto.offset.reset": "latest"})
	b.put(3)
	if got, _ := b.take("a", 10); len(got) > 0 {
		t.Fatalf("%v came to a group that begins at the end", got)
	}
	b.put(2)
	got, _ := b.take("a", 10)
	b.expect("behind the beginning", got, []int64{3, 4})
	b.crash()
	got, _ = b.take("b", 10)
	b.expect("after the crash", got, []int64{3, 4})
}

// Locks above a minute survive the connection and the broker; shorter ones neither.
func TestShareLongLocksSurvive(t *testing.T) {
	t.Parallel()
	for lock, want := range map[string]int{"60000": 5, "60001": 0} {
		b := newShareBench(t, map[string]string{"share.record.lock.duration.ms": lock})
		b.put(5)
		ses, _, _, err := b.Shares.FetchSession("q", "a", 0, nil, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		b.take("a", 5)
		b.Shares.EndSession(ses, true)
		if got, _ := b.take("b", 5); len(got) != want {
			t.Errorf("lock of %s ms, connection lost: another gets %v", lock, got)
		}
		b.crash()
		if got, _ := b.take("c", 5); len(got) != want {
			t.Errorf("lock of %s ms, after a crash: another gets %v", lock, got)
		}
		if want == 0 {
			b.ack("a", 0, 4, share.Accept)
		}
	}
}

// A dead letter that has nowhere to go stays where it is, and the delivery pauses until
// there is a place.
func TestShareDeadLetterWithoutTopic(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, map[string]string{"errors.deadletterqueue.topic.name": "dlq.q", "share.dlq.breaker.pause.ms": "50"})
	b.put(2)
	b.take("a", 2)
	b.ack("a", 1, 1, share.Accept)
	if _, code := b.Shares.Acknowledge("q", "a", b.Partition("t", 0), []share.Ack{{First: 0, Last: 0, Types: []int8{int8(share.Reject)}}}, false, false); code != kerr.InvalidRecordState.Code {
		t.Fatalf("reject without a topic for it: %v", kerr.ErrorForCode(code))
	}
	if p := b.place(); p.Paused == "" || p.Start != 0 || p.Lag != 1 {
		t.Errorf("%+v", p)
	}
	if err := b.EnsureTopic(t.Context(), "dlq.q", 1, map[string]string{"errors.deadletterqueue.group.enable": "true"}); err != nil {
		t.Fatal(err)
	}
	// The loop tries again after the pause; the dead letter wakes who waits for it.
	woken := make(chan bool, 1)
	now := Await(t.Context(), []*Partition{b.Partition("dlq.q", 0)}, 1<<40, func() { woken <- true })
	if b.place().Buried == 1 {
		now()
	}
	<-woken
	if p := b.place(); p.Start != 2 || p.Lag != 0 || p.Buried != 1 {
		t.Errorf("%+v", p)
	}
}

func (b *shareBench) place() SharePlace {
	b.t.Helper()
	ps, err := b.Shares.Places("q")
	if err != nil || len(ps) != 1 {
		b.t.Fatal(ps, err)
	}
	return ps[0]
}

// The log of the state is cut where nothing below is needed, and goes on to be read.
func TestShareStateIsPruned(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, nil)
	b.put(30)
	for i := range int64(30) {
		b.take("a", 1)
		b.ack("a", i, i, share.Accept)
	}
	b.Shares.prune()
	var cut, kept int64
	for _, s := range b.Shares.shards.all() {
		cut, kept = cut+s.pruned, kept+s.log.End()-s.pruned
	}
	if cut == 0 || kept > 5 {
		t.Errorf("%d records are cut off, %d kept", cut, kept)
	}
	b.put(1)
	b.crash()
	got, _ := b.take("b", 10)
	b.expect("after the crash", got, []int64{30})
}

// A topic that is deleted takes the group's place along; one of that name begins anew.
func TestShareOfADeletedTopic(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, nil)
	b.put(3)
	b.take("a", 3)
	b.ack("a", 0, 2, share.Accept)
	if err := b.DeleteTopics([]*catalog.Topic{b.Catalog.Snapshot().Topic("t")}, nil)[0]; err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureTopic(t.Context(), "t", 1, nil); err != nil {
		t.Fatal(err)
	}
	b.put(1)
	got, _ := b.take("b", 3)
	b.expect("of the new topic", got, []int64{0})
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
	g.GroupID = "q"
	req.Groups = append(req.Groups, g)
	if res := b.Shares.DescribeOffsets(req); len(res.Groups[0].Topics) != 1 {
		t.Errorf("%+v", res.Groups[0])
	}
}

// There are only so many sessions; one that ends, or begins anew, makes room.
func TestShareSessionLimit(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, nil)
	begin := func(member string) *ShareSession {
		ses, _, _, err := b.Shares.FetchSession("q", member, 0, nil, nil, false)
		if err != nil && !errors.Is(err, kerr.ShareSessionLimitReached) {
			t.Fatal(err)
		}
		return ses
	}
	a := begin("a")
	if begin("b") == nil || begin("c") != nil || begin("b") == nil {
		t.Error("not two sessions at a time")
	}
	b.Shares.EndSession(a, false)
	if begin("c") == nil {
		t.Error("a session that has ended still counts")
	}
}
