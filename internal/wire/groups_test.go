package wire

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// groupKeys are the keys of groups and their offsets.
var groupKeys = []int16{8, 9, 10, 11, 12, 13, 14, 15, 16, 42, 47, 68, 69}

// groupBench is a server of the group keys, with topics t (3 partitions) and u.
type groupBench struct {
	mu sync.Mutex // held while the bench is another one, for clients that dial
	*bench
	disk   *vfs.Mem
	broker *broker.Broker
}

func newGroupBench(t *testing.T) *groupBench {
	b := &groupBench{disk: vfs.NewMem()}
	b.boot(t)
	for name, n := range map[string]int32{"t": 3, "u": 1} {
		if err := b.broker.EnsureTopic(t.Context(), name, n, nil); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *groupBench) boot(t *testing.T) {
	t.Helper()
	br, err := broker.Open(broker.Config{FS: b.disk, Dir: "/data", Static: map[string]string{
		"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "3", "group.max.size": "100",
		"group.consumer.heartbeat.interval.ms": "20", "group.consumer.assignment.interval.ms": "0",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(br.Abandon)
	b.broker = br
	bench := newBench(t, Config{Broker: br}, handlers)
	b.mu.Lock()
	b.bench = bench
	b.mu.Unlock()
}

// kill is kill -9 of the broker and the start after it.
func (b *groupBench) kill(t *testing.T) {
	t.Helper()
	disk := b.disk.Kill()
	if err := b.srv.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.broker.Abandon()
	b.disk = disk
	b.boot(t)
}

// ask sends a request and reads its answer.
func ask[A kmsg.Response](c *client, req kmsg.Request, version int16) A {
	c.t.Helper()
	req.SetVersion(version)
	c.send(7, req)
	return receive[A](c, req)
}

func receive[A kmsg.Response](c *client, req kmsg.Request) A {
	c.t.Helper()
	corr, body := c.recv()
	if corr != 7 {
		c.t.Fatalf("correlation id %d", corr)
	}
	resp := req.ResponseKind()
	if resp.IsFlexible() {
		if body[0] != 0 {
			c.t.Fatalf("%T: tagged fields in the header", resp)
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		c.t.Fatalf("%T v%d: %v", resp, req.GetVersion(), err)
	}
	return resp.(A)
}

// versions calls f for each version that is served of a key.
func versions(t *testing.T, key int16, f func(t *testing.T, version int16)) {
	row, ok := kafka.VersionsOf(key)
	if !ok {
		t.Fatalf("key %d is not in the table", key)
	}
	for v := row.Served; v <= row.Max; v++ {
		t.Run(fmt.Sprint("v", v), func(t *testing.T) { f(t, v) })
	}
}

func joinRequest(group, member string) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType = group, member, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10_000, 60_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte{0, 0, 0, 0, 0, 1, 0, 1, 't'}
	req.Protocols = append(req.Protocols, p)
	return req
}

// member joins a group as its only member and takes what is there.
func member(c *client, group string, instance *string) *kmsg.JoinGroupResponse {
	c.t.Helper()
	req := joinRequest(group, "")
	req.InstanceID = instance
	j := ask[*kmsg.JoinGroupResponse](c, req, 9)
	if j.ErrorCode == kerr.MemberIDRequired.Code {
		req = joinRequest(group, j.MemberID)
		j = ask[*kmsg.JoinGroupResponse](c, req, 9)
	}
	mustCode(c.t, "join", j.ErrorCode, nil)
	s := kmsg.NewPtrSyncGroupRequest()
	s.ProtocolType, s.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	s.Group, s.MemberID, s.Generation, s.InstanceID = group, j.MemberID, j.Generation, instance
	a := kmsg.NewSyncGroupRequestGroupAssignment()
	a.MemberID, a.MemberAssignment = j.MemberID, []byte("all")
	s.GroupAssignment = append(s.GroupAssignment, a)
	res := ask[*kmsg.SyncGroupResponse](c, s, 5)
	mustCode(c.t, "sync", res.ErrorCode, nil)
	if string(res.MemberAssignment) != "all" {
		c.t.Fatalf("assignment %q", res.MemberAssignment)
	}
	return j
}

func beat(c *client, group string, j *kmsg.JoinGroupResponse) int16 {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = group, j.MemberID, j.Generation
	return ask[*kmsg.HeartbeatResponse](c, req, 4).ErrorCode
}

// commitTo makes a commit of one offset in the form of the version.
func (b *groupBench) commitTo(group, topic string, version int16, partition int32, offset int64, metadata *string) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	req.RetentionTimeMillis = -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = topic
	if known := b.broker.Catalog.Snapshot().Topic(topic); version >= 10 && known != nil {
		rt.TopicID = known.ID
	} else if version >= 10 {
		rt.TopicID = [16]byte{9}
	}
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata = partition, offset, 1, metadata
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

// fetched is what an OffsetFetch of any version says about a partition.
type fetched struct {
	group, topic string
	partition    int32
	offset       int64
	metadata     string
	code         int16
}

// fetch asks for partitions 0 and 1 of t and 0 of u, or with all for everything,
// in the form of the version.
func (b *groupBench) fetch(c *client, group string, version int16, all bool) (got []fetched, code int16) {
	c.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	names := map[[16]byte]string{}
	for _, name := range []string{"t", "u"} {
		partitions := []int32{0, 1}[:map[string]int{"t": 2, "u": 1}[name]]
		id := b.broker.Catalog.Snapshot().Topic(name).ID
		names[id] = name
		ot, gt := kmsg.NewOffsetFetchRequestTopic(), kmsg.NewOffsetFetchRequestGroupTopic()
		ot.Topic, ot.Partitions = name, partitions
		gt.Topic, gt.TopicID, gt.Partitions = name, id, partitions
		if !all {
			req.Topics, g.Topics = append(req.Topics, ot), append(g.Topics, gt)
		}
	}
	req.Groups = append(req.Groups, g)
	res := ask[*kmsg.OffsetFetchResponse](c, req, version)
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			got = append(got, fetched{group, t.Topic, p.Partition, p.Offset, deref(p.Metadata), p.ErrorCode})
		}
	}
	code = res.ErrorCode
	for _, g := range res.Groups {
		code = g.ErrorCode
		for _, t := range g.Topics {
			if version >= 10 {
				t.Topic = names[t.TopicID]
			}
			for _, p := range t.Partitions {
				got = append(got, fetched{g.Group, t.Topic, p.Partition, p.Offset, deref(p.Metadata), p.ErrorCode})
			}
		}
	}
	return got, code
}

func deref(s *string) string {
	if s == nil {
		return "<null>"
	}
	return *s
}

func mustCode(t *testing.T, what string, code int16, want *kerr.Error) {
	t.Helper()
	var w int16
	if want != nil {
		w = want.Code
	}
	if code != w {
		t.Fatalf("%s: %v, want %v", what, kerr.ErrorForCode(code), kerr.ErrorForCode(w))
	}
}

// Every served version of every key of groups is answered in its own form, with
// the group that does not exist.
func TestGroupKeysInEveryVersion(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	for _, key := range groupKeys {
		t.Run(kmsg.NameForKey(key), func(t *testing.T) {
			versions(t, key, func(t *testing.T, version int16) {
				req := kmsg.RequestForKey(key)
				req.SetVersion(version)
				switch r := req.(type) {
				case *kmsg.JoinGroupRequest:
					r.Group, r.MemberID, r.SessionTimeoutMillis = "none", "nobody", 10_000
				case *kmsg.DescribeGroupsRequest:
					r.Groups = []string{"none"}
				case *kmsg.DeleteGroupsRequest:
					r.Groups = []string{"none"}
				case *kmsg.FindCoordinatorRequest:
					r.CoordinatorKeys = []string{"none", "two"}
				}
				c.send(7, req)
				resp := receive[kmsg.Response](c, req)
				if resp.GetVersion() != version {
					t.Errorf("answered in version %d", resp.GetVersion())
				}
				if again := resp.AppendTo(nil); len(again) == 0 {
					t.Error("empty answer")
				}
			})
		})
	}
}

// A client that goes away while its join waits takes nobody with it, and its
// place is still there when it comes back by another connection.
func TestParkedJoinOfAGoneClient(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	one, two := b.dial(), b.dial()
	j := member(one, "g", nil)
	first := ask[*kmsg.JoinGroupResponse](two, joinRequest("g", ""), 9)
	mustCode(t, "join", first.ErrorCode, kerr.MemberIDRequired)
	req := joinRequest("g", first.MemberID)
	req.SetVersion(9)
	two.send(7, req) // waits for the other member
	for beat(one, "g", j) != kerr.RebalanceInProgress.Code {
	}
	two.nc.Close()
	three := b.dial()
	three.send(7, req)
	again := joinRequest("g", j.MemberID)
	again.SetVersion(9)
	// Whether the leader's join or the returned member's is first: both get the
	// same generation.
	one.send(7, again)
	if res := receive[*kmsg.JoinGroupResponse](one, again); res.ErrorCode != 0 || len(res.Members) != 2 {
		t.Fatalf("%+v", res)
	}
	if res := receive[*kmsg.JoinGroupResponse](three, req); res.ErrorCode != 0 || res.MemberID != first.MemberID {
		t.Fatalf("%+v", res)
	}
}

// A stop does not wait for members that wait for each other.
func TestStopWithParkedJoin(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	one, two := b.dial(), b.dial()
	j := member(one, "g", nil)
	req := joinRequest("g", "")
	req.SetVersion(3)
	two.send(7, req)
	for beat(one, "g", j) != kerr.RebalanceInProgress.Code {
	}
	stopped := make(chan error, 1)
	go func() { stopped <- b.srv.Stop(context.Background()) }()
	mustCode(t, "join", receive[*kmsg.JoinGroupResponse](two, req).ErrorCode, kerr.CoordinatorNotAvailable)
	two.mustBeClosed()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// Gotcha §9.15: after kill -9 and a restart, commits that were acknowledged and
// memberships that were told are there, and members go on where they were.
func TestGroupsAfterKill(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	j := member(c, "g", nil)
	req := b.commitTo("g", "t", 9, 1, 42, kmsg.StringPtr("m"))
	req.MemberID, req.Generation = j.MemberID, j.Generation
	mustCode(t, "commit", ask[*kmsg.OffsetCommitResponse](c, req, 9).Topics[0].Partitions[0].ErrorCode, nil)
	b.kill(t)
	c = b.dial()
	mustCode(t, "heartbeat", beat(c, "g", j), nil)
	got, _ := b.fetch(c, "g", 9, true)
	if want := (fetched{"g", "t", 1, 42, "m", 0}); len(got) != 1 || got[0] != want {
		t.Errorf("%+v", got)
	}
	again := ask[*kmsg.JoinGroupResponse](c, joinRequest("g", j.MemberID), 9)
	mustCode(t, "join", again.ErrorCode, nil)
	if again.Generation != j.Generation+1 || again.LeaderID != j.MemberID {
		t.Errorf("%+v", again)
	}
}
