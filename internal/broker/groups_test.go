package broker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// groupBed is a Groups on a disk in memory.
type groupBed struct {
	t      *testing.T
	mem    *vfs.Mem
	disk   *vfs.Faulty
	store  *plog.Store
	cat    *catalog.Catalog
	groups *Groups
	epoch  int32
	logged *strings.Builder
}

// newGroupBed has topics t (2 partitions) and u (1), and four partitions for
// groups.
func newGroupBed(t *testing.T) *groupBed {
	b := &groupBed{t: t, mem: vfs.NewMem()}
	var err error
	b.cat, err = catalog.New(1, map[string]string{"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "4"})
	if err != nil {
		t.Fatal(err)
	}
	b.boot()
	for name, n := range map[string]int32{"t": 2, "u": 1} {
		if err := b.createTopic(context.Background(), name, n, nil); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *groupBed) boot() {
	b.epoch++
	b.disk = vfs.NewFaulty(b.mem)
	var err error
	b.store, _, err = plog.Open(plog.Options{FS: b.disk, Dir: "/data", Salt: 1, Epoch: b.epoch, WALFileSize: 4 << 20, DiskReserve: -1})
	if err != nil {
		b.t.Fatal(err)
	}
	b.logged = &strings.Builder{}
	b.groups = NewGroups(GroupsOptions{CoordOptions: CoordOptions{
		Store: b.store, Catalog: b.cat, CreateTopic: b.createTopic, Now: time.Now,
		Logger: slog.New(slog.NewTextHandler(b.logged, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}})
	groups, store := b.groups, b.store
	b.t.Cleanup(func() { groups.Close(); store.Abandon() })
}

// crash is a loss of power, and the start after it.
func (b *groupBed) crash() {
	disk := b.mem.Crash(vfs.KeepNone, 1)
	b.groups.Close()
	b.store.Abandon()
	b.mem = disk
	b.boot()
}

func (b *groupBed) createTopic(ctx context.Context, name string, partitions int32, configs map[string]string) error {
	id := kafka.NewUUID()
	var ops []plog.Op
	for p := range partitions {
		ops = append(ops, plog.Create(plog.ID{Topic: id, Partition: p}, name, plog.DefaultConfig()))
	}
	_, pos, err := b.store.Submit(ops...)
	if err != nil {
		return err
	}
	if err := b.store.Wait(ctx, pos); err != nil {
		return err
	}
	b.cat.Apply(catalog.PutTopic(name, id, partitions, configs))
	return nil
}

// answer waits for what one of Groups' methods hands to its callback.
func answer[Q, A any](t *testing.T, ask func(Q, func(A)), req Q) A {
	t.Helper()
	got := make(chan A, 2)
	ask(req, func(a A) { got <- a })
	select {
	case a := <-got:
		return a
	case <-t.Context().Done():
		t.Fatal("no answer")
		panic("unreachable")
	}
}

func (b *groupBed) join(groupID, memberID string) *kmsg.JoinGroupResponse {
	b.t.Helper()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.ProtocolType = 3, groupID, memberID, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10_000, 60_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte{0, 0, 0, 0, 0, 1, 0, 1, 't'}
	req.Protocols = append(req.Protocols, p)
	return answer(b.t, func(q *kmsg.JoinGroupRequest, done func(*kmsg.JoinGroupResponse)) {
		b.groups.Join(group.Client{ID: "c", Host: "/127.0.0.1"}, q, done)
	}, req)
}

// member joins a group alone and takes all.
func (b *groupBed) member(groupID string) *kmsg.JoinGroupResponse {
	b.t.Helper()
	j := b.join(groupID, "")
	if j.ErrorCode != 0 {
		b.t.Fatal(kerr.ErrorForCode(j.ErrorCode))
	}
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 4, groupID, j.MemberID, j.Generation
	a := kmsg.NewSyncGroupRequestGroupAssignment()
	a.MemberID, a.MemberAssignment = j.MemberID, []byte("all")
	req.GroupAssignment = append(req.GroupAssignment, a)
	if s := answer(b.t, b.groups.Sync, req); s.ErrorCode != 0 || string(s.MemberAssignment) != "all" {
		b.t.Fatalf("sync: %+v", s)
	}
	return j
}

func (b *groupBed) heartbeat(groupID string, j *kmsg.JoinGroupResponse) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 4, groupID, j.MemberID, j.Generation
	return kerr.ErrorForCode(answer(b.t, b.groups.Heartbeat, req).ErrorCode)
}

func (b *groupBed) describe(groupID string) kmsg.DescribeGroupsResponseGroup {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Version, req.Groups = 6, []string{groupID}
	return answer(b.t, b.groups.Describe, req).Groups[0]
}

func commitRequest(groupID string, generation int32, member string, offsets map[string]int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation, req.MemberID = 9, groupID, generation, member
	for tp, o := range offsets {
		name, p, _ := strings.Cut(tp, "/")
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = name
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		if _, err := fmt.Sscan(p, &rp.Partition); err != nil {
			panic(err)
		}
		rp.Offset, rp.Metadata = o, kmsg.StringPtr("at "+fmt.Sprint(o))
		t.Partitions = append(t.Partitions, rp)
		req.Topics = append(req.Topics, t)
	}
	return req
}

func (b *groupBed) commit(groupID string, generation int32, member string, offsets map[string]int64) error {
	for _, t := range answer(b.t, b.groups.Commit, commitRequest(groupID, generation, member, offsets)).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	return nil
}

func fetchAll(groupID string) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = 9
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = groupID
	req.Groups = append(req.Groups, g)
	return req
}

func offsetsOf(res *kmsg.OffsetFetchResponse) string {
	var s []string
	for _, g := range res.Groups {
		if g.ErrorCode != 0 {
			s = append(s, kerr.ErrorForCode(g.ErrorCode).Error())
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				s = append(s, fmt.Sprintf("%s/%d=%d %s", t.Topic, p.Partition, p.Offset, *p.Metadata))
			}
		}
	}
	return strings.Join(s, ", ")
}

// The choice of the partition must be Kafka's: tools and other brokers read
// the topic by it. The numbers are Java's.
func TestGroupPartition(t *testing.T) {
	for id, want := range map[string]int{
		"":                    0,
		"a":                   97 % 50,
		"hello":               99162322 % 50,
		"polygenelubricants":  0, // hashCode is the smallest int, which has no absolute
		"Zürich":              51,
		"日本":                  835047 % 50,
		"😀":                   1772899 % 50, // two units in Java
		"recommendation-team": -1,
	} {
		if want == 51 || want == -1 { // by the definition, in 64 bits
			var h int64
			for _, r := range id {
				h = int64(int32(31*h + int64(r)))
			}
			want = int(max(h, -h) % 50)
		}
		if got := keyPartition(id, 50); got != want {
			t.Errorf("%q is in %d, want %d", id, got, want)
		}
	}
}

// A commit is answered, and what it stored is shown, when it is on disk.
func TestGroupsShowWhatIsDurable(t *testing.T) {
	b := newGroupBed(t)
	if err := b.commit("g", -1, "", map[string]int64{"t/0": 1}); err != nil {
		t.Fatal(err)
	}
	gate := b.disk.Gate(vfs.OpSync, "/data/wal/*")
	defer gate.Open()
	committed := make(chan *kmsg.OffsetCommitResponse, 1)
	b.groups.Commit(commitRequest("g", -1, "", map[string]int64{"t/0": 2}), func(r *kmsg.OffsetCommitResponse) { committed <- r })
	<-gate.Arrived()
	fetched := make(chan *kmsg.OffsetFetchResponse, 1)
	b.groups.Fetch(fetchAll("g"), func(r *kmsg.OffsetFetchResponse) { fetched <- r })
	// Another group's reader does not wait, even in the same partition.
	other := "other"
	for i := 0; keyPartition(other, 4) != keyPartition("g", 4); i++ {
		other = fmt.Sprint("other", i)
	}
	if err := answer(t, b.groups.Fetch, fetchAll("g-that-is-not")).ErrorCode; err != 0 {
		t.Error(kerr.ErrorForCode(err))
	}
	select {
	case r := <-committed:
		t.Fatalf("answered before it is on disk: %+v", r)
	case r := <-fetched:
		t.Fatalf("shown before it is on disk: %s", offsetsOf(r))
	default:
	}
	gate.Open()
	if r := <-committed; r.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Error(kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode))
	}
	if got := offsetsOf(<-fetched); got != "t/0=2 at 2" {
		t.Error(got)
	}
}

// Gotcha §9.15: after a crash, acknowledged commits are there, and members go on.
func TestGroupsSurviveCrash(t *testing.T) {
	b := newGroupBed(t)
	j := b.member("g")
	if err := b.commit("g", j.Generation, j.MemberID, map[string]int64{"t/0": 7, "t/1": 8}); err != nil {
		t.Fatal(err)
	}
	if err := b.commit("simple", -1, "", map[string]int64{"u/0": 9}); err != nil {
		t.Fatal(err)
	}
	b.crash()
	if err := b.heartbeat("g", j); err != nil {
		t.Error("heartbeat after the crash:", err)
	}
	d := b.describe("g")
	if d.State != "Stable" || d.Protocol != "range" || len(d.Members) != 1 {
		t.Fatalf("%+v", d)
	}
	if m := d.Members[0]; m.MemberID != j.MemberID || string(m.MemberAssignment) != "all" || m.ClientHost != "/127.0.0.1" || m.ClientID != "c" {
		t.Errorf("%+v", m)
	}
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("g"))); got != "t/0=7 at 7, t/1=8 at 8" {
		t.Error(got)
	}
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("simple"))); got != "u/0=9 at 9" {
		t.Error(got)
	}
	// It can join again, and commit.
	again := b.join("g", j.MemberID)
	if again.ErrorCode != 0 || again.Generation != j.Generation+1 {
		t.Errorf("%+v", again)
	}
}

// What was appended and not synced when the power went is not there, and was
// never acknowledged.
func TestGroupsCrashBeforeTheFlush(t *testing.T) {
	b := newGroupBed(t)
	if err := b.commit("g", -1, "", map[string]int64{"t/0": 1}); err != nil {
		t.Fatal(err)
	}
	gate := b.disk.Gate(vfs.OpSync, "/data/wal/*")
	answered := make(chan struct{}, 1)
	b.groups.Commit(commitRequest("g", -1, "", map[string]int64{"t/0": 2}), func(*kmsg.OffsetCommitResponse) { answered <- struct{}{} })
	<-gate.Arrived()
	select {
	case <-answered:
		t.Fatal("acknowledged before it is on disk")
	default:
	}
	disk := b.mem.Crash(vfs.KeepNone, 1)
	gate.Open()
	b.groups.Close()
	b.store.Abandon()
	b.mem = disk
	b.boot()
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("g"))); got != "t/0=1 at 1" {
		t.Error(got)
	}
}

// When a flush fails nothing is acknowledged any more, and what is on disk can
// still be read.
func TestGroupsFailedFlush(t *testing.T) {
	b := newGroupBed(t)
	for _, g := range []string{"g", "simple"} {
		if err := b.commit(g, -1, "", map[string]int64{"t/0": 1}); err != nil {
			t.Fatal(err)
		}
	}
	b.disk.Add(vfs.Rule{Op: vfs.OpSync, Name: "/data/wal/*", Err: syscall.EIO})
	if err := b.commit("g", -1, "", map[string]int64{"t/0": 2}); err != kerr.NotCoordinator {
		t.Errorf("commit: %v", err)
	}
	for range 2 {
		if err := b.commit("g", -1, "", map[string]int64{"t/0": 3}); err != kerr.NotCoordinator {
			t.Errorf("a later commit: %v", err)
		}
	}
	if n := strings.Count(b.logged.String(), "the log refuses"); n != 1 {
		t.Errorf("%d lines say that writes are refused", n)
	}
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("g"))); got != kerr.NotCoordinator.Error() {
		t.Error("offsets that may be lost are shown:", got)
	}
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("simple"))); got != "t/0=1 at 1" {
		t.Error(got)
	}
	b.crash()
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("g"))); got != "t/0=1 at 1" {
		t.Error(got)
	}
}

// One timer serves all groups: sessions and rebalances end when they should.
func TestGroupsDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGroupBed(t)
		one, two := b.member("one"), b.member("two")
		time.Sleep(6 * time.Second)
		if err := b.heartbeat("two", two); err != nil {
			t.Error(err)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if err := b.heartbeat("one", one); err != kerr.UnknownMemberID {
			t.Errorf("12 s after it was last heard of, with a session of 10 s: %v", err)
		}
		if err := b.heartbeat("two", two); err != nil {
			t.Error(err)
		}
		// A second member waits for the first, until its rebalance time-out.
		second := make(chan *kmsg.JoinGroupResponse, 1)
		go func() { second <- b.join("two", "") }()
		for range 9 {
			synctest.Wait()
			if err := b.heartbeat("two", two); err != kerr.RebalanceInProgress {
				t.Errorf("heartbeat of a group that gathers: %v", err)
			}
			time.Sleep(6 * time.Second)
		}
		select {
		case <-second:
			t.Fatal("the rebalance is through without the first member")
		default:
		}
		b.heartbeat("two", two)
		time.Sleep(7 * time.Second)
		if j := <-second; j.ErrorCode != 0 || j.LeaderID != j.MemberID {
			t.Errorf("%+v", j)
		}
		b.groups.Close()
		b.store.Abandon()
	})
}

// The topic is made for the first request, once, as Kafka makes it.
func TestGroupsMakeTheirTopic(t *testing.T) {
	b := newGroupBed(t)
	if b.cat.Snapshot().Topic(OffsetsTopic) != nil {
		t.Fatal("the topic is there before anybody asked")
	}
	if res := answer(t, b.groups.List, kmsg.NewPtrListGroupsRequest()); res.ErrorCode != 0 || len(res.Groups) != 0 {
		t.Errorf("%+v", res)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := b.groups.Available(fmt.Sprint("g", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	topic := b.cat.Snapshot().Topic(OffsetsTopic)
	if topic == nil || topic.Partitions != 4 || topic.Configs["cleanup.policy"] != "compact" || !topic.View.Log.Compact || topic.View.Log.Delete {
		t.Fatalf("%+v", topic)
	}
	if n := len(b.store.Logs()); n != 3+4 {
		t.Errorf("%d logs: the topic was made more than once", n)
	}
}

func TestGroupsTopicCannotBeMade(t *testing.T) {
	b := newGroupBed(t)
	b.groups.opt.CreateTopic = func(context.Context, string, int32, map[string]string) error { return kerr.KafkaStorageError }
	if err := b.commit("g", -1, "", map[string]int64{"t/0": 1}); err != kerr.CoordinatorNotAvailable {
		t.Error(err)
	}
	if j := b.join("g", ""); j.ErrorCode != kerr.CoordinatorNotAvailable.Code {
		t.Errorf("%+v", j)
	}
	b.groups.opt.CreateTopic = b.createTopic
	if err := b.commit("g", -1, "", map[string]int64{"t/0": 1}); err != nil {
		t.Error("when the disk is well again:", err)
	}
}

// A partition whose log is not there fails its own groups alone.
func TestGroupsPartitionCannotBeLoaded(t *testing.T) {
	b := newGroupBed(t)
	for _, g := range []string{"g", "other"} { // in different partitions
		if err := b.commit(g, -1, "", map[string]int64{"t/0": 1}); err != nil {
			t.Fatal(err)
		}
	}
	broken := int32(keyPartition("g", 4))
	if int(broken) == keyPartition("other", 4) {
		t.Fatal("the test needs two partitions")
	}
	l := b.store.Log(plog.ID{Topic: b.cat.Snapshot().Topic(OffsetsTopic).ID, Partition: broken})
	_, pos, err := b.store.Submit(plog.Delete(l))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.Wait(t.Context(), pos); err != nil {
		t.Fatal(err)
	}
	b.crash()
	if err := b.groups.Available("g"); err != kerr.CoordinatorNotAvailable {
		t.Error(err)
	}
	if err := b.commit("g", -1, "", map[string]int64{"t/0": 1}); err != kerr.CoordinatorNotAvailable {
		t.Error(err)
	}
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("other"))); got != "t/0=1 at 1" {
		t.Error(got)
	}
	if !strings.Contains(b.logged.String(), fmt.Sprintf("%s-%d", OffsetsTopic, broken)) {
		t.Errorf("the log does not name the partition: %s", b.logged)
	}
}

// Records that nobody can read do not keep the others from being loaded.
func TestGroupsSkipWhatTheyCannotRead(t *testing.T) {
	b := newGroupBed(t)
	if err := b.commit("g", -1, "", map[string]int64{"t/0": 1}); err != nil {
		t.Fatal(err)
	}
	l := b.store.Log(plog.ID{Topic: b.cat.Snapshot().Topic(OffsetsTopic).ID, Partition: int32(keyPartition("g", 4))})
	for _, spec := range []kafka.BatchSpec{{}, {Transactional: true, Producer: &kafka.ProducerSpec{ID: 1}}} {
		_, pos, err := b.store.Submit(plog.Begins(plog.Append(l, kafka.Build(spec, []kafka.Record{{Key: []byte{0, 1, 9}, Value: []byte{1}}, {Key: []byte("junk")}, {}}))))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.store.Wait(t.Context(), pos); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.commit("g", -1, "", map[string]int64{"t/1": 2}); err != nil {
		t.Fatal(err)
	}
	b.crash()
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("g"))); got != "t/0=1 at 1, t/1=2 at 2" {
		t.Error(got)
	}
	if n := strings.Count(b.logged.String(), "cannot be read and is skipped"); n != 4 {
		t.Errorf("%d lines for two records of each kind: %s", n, b.logged)
	}
}

// A topic's offsets go with it; one that was made again starts without them,
// also when the broker died before it could forget them.
func TestGroupsForgetDeletedTopics(t *testing.T) {
	b := newGroupBed(t)
	if err := b.commit("g", -1, "", map[string]int64{"t/0": 1, "u/0": 2}); err != nil {
		t.Fatal(err)
	}
	topic := b.cat.Snapshot().Topic("t")
	b.cat.Apply(catalog.DropTopic("t"))
	b.groups.TopicDeleted("t", topic.ID)
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("g"))); got != "u/0=2 at 2" {
		t.Error(got)
	}
	b.cat.Apply(catalog.DropTopic("u"))
	if err := b.createTopic(t.Context(), "u", 1, nil); err != nil {
		t.Fatal(err)
	}
	b.crash()
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("g"))); got != "" {
		t.Error(got)
	}
}

// Many clients at once: every commit is answered once, and the last one of each
// is what is read, before and after a crash.
func TestGroupsConcurrentCommits(t *testing.T) {
	b := newGroupBed(t)
	const clients, commits = 16, 40
	if err := b.createTopic(t.Context(), "wide", clients, nil); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			g := fmt.Sprint("g", i%6)
			for n := range int64(commits) {
				if err := b.commit(g, -1, "", map[string]int64{"t/0": n, fmt.Sprint("wide/", i): n}); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	for range 2 {
		seen := 0
		for g := range 6 {
			res := answer(t, b.groups.Fetch, fetchAll(fmt.Sprint("g", g)))
			for _, p := range res.Groups[0].Topics[1].Partitions { // t, wide
				seen++
				if p.Offset != commits-1 {
					t.Errorf("client %d's last commit is %d", p.Partition, p.Offset)
				}
			}
		}
		if seen != clients {
			t.Errorf("offsets of %d clients", seen)
		}
		b.crash()
	}
}
