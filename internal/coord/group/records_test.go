package group

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// goldens are records as Kafka's tools know them (OffsetCommitKey/Value.json,
// GroupMetadataKey/Value.json): fixed for as long as data directories live.
func goldens() map[string]Record {
	o := offset{offset: 258, leaderEpoch: 7, metadata: "m", committed: 1_000_000_000_000, expires: -1}
	withID, expiring := o, o
	withID.topicID = [16]byte{0: 0xaa, 15: 0xbb}
	expiring.expires = 1_000_000_000_001
	g := newGroup("g", time.UnixMilli(1_000_000_000_000))
	g.state, g.generation, g.protocolType, g.protocol = Stable, 3, "consumer", "range"
	inst := "i"
	g.add(&member{id: "a-1", clientID: "a", clientHost: "/h", session: 10 * time.Second, rebalance: time.Minute,
		protocolType: "consumer", protocols: []protocol{{"range", []byte{1}}}, assignment: []byte{2, 3}})
	g.add(&member{id: "i-2", instance: &inst, clientID: "b", clientHost: "/h", session: 10 * time.Second, rebalance: time.Minute,
		protocolType: "consumer", protocols: []protocol{{"range", nil}}})
	empty := newGroup("g", time.UnixMilli(1_000_000_000_000))
	empty.generation, empty.protocolType = 4, "consumer"
	return map[string]Record{
		"offset":           offsetRecord("g", "t", 5, &o),
		"offset, topic id": offsetRecord("g", "t", 5, &withID),
		"offset, expiring": offsetRecord("g", "t", 5, &expiring),
		"offset, gone":     offsetRecord("g", "t", 5, nil),
		"group":            g.record(nil),
		"group, empty":     empty.record(nil),
		"group, gone":      g.tombstones()[0],
	}
}

var goldenBytes = map[string]string{
	"offset":           "0001 0001 67 0001 74 00000005 | 0003 0000000000000102 00000007 0001 6d 000000e8d4a51000",
	"offset, topic id": "0001 0001 67 0001 74 00000005 | 0004 0000000000000102 00000007 02 6d 000000e8d4a51000 01 00 10 aa0000000000000000000000000000bb",
	"offset, expiring": "0001 0001 67 0001 74 00000005 | 0001 0000000000000102 0001 6d 000000e8d4a51000 000000e8d4a51001",
	"offset, gone":     "0001 0001 67 0001 74 00000005",
	"group": "0002 0001 67 | 0003 0008 636f6e73756d6572 00000003 0005 72616e6765 0003 612d31 000000e8d4a51000 00000002" +
		" 0003 612d31 ffff 0001 61 0002 2f68 0000ea60 00002710 00000001 01 00000002 0203" +
		" 0003 692d32 0001 69 0001 62 0002 2f68 0000ea60 00002710 00000000 00000000",
	"group, empty": "0002 0001 67 | 0003 0008 636f6e73756d6572 00000004 ffff ffff 000000e8d4a51000 00000000",
	"group, gone":  "0002 0001 67",
}

func TestGoldenRecords(t *testing.T) {
	for name, r := range goldens() {
		k, v, value := strings.Cut(strings.ReplaceAll(goldenBytes[name], " ", ""), "|")
		if got := hex.EncodeToString(r.Key); got != k {
			t.Errorf("%s: key\n%s, want\n%s", name, got, k)
		}
		if got := hex.EncodeToString(r.Value); got != v || (r.Value != nil) != value {
			t.Errorf("%s: value\n%s, want\n%s", name, got, v)
		}
	}
}

// What is replayed is written again byte for byte.
func TestReplayRoundTrip(t *testing.T) {
	for name, r := range goldens() {
		if r.Value == nil {
			continue
		}
		cfg := DefaultConfig()
		cfg.NewID = func() string { return "" }
		c := New(cfg)
		var n Replayed
		if err := c.Replay(r, &n); err != nil {
			t.Fatal(name, err)
		}
		g := c.groups["g"]
		again := g.record(nil)
		if n.Offsets == 1 {
			o := g.offsets["t"][5]
			again = offsetRecord("g", "t", 5, &o)
		}
		if name == "offset, expiring" {
			// Version 1 had no leader epoch.
			if o := g.offsets["t"][5]; o.leaderEpoch != -1 {
				t.Errorf("leader epoch %d out of nowhere", o.leaderEpoch)
			}
		}
		if !bytes.Equal(again.Key, r.Key) || !bytes.Equal(again.Value, r.Value) {
			t.Errorf("%s: %x %x became %x %x", name, r.Key, r.Value, again.Key, again.Value)
		}
	}
}

// Values of old brokers: group v0 and v1, offset v0 and v2 under a key v0.
func TestReplayOldVersions(t *testing.T) {
	c := newWorld().c
	var n Replayed
	replay := func(key, value []byte) {
		t.Helper()
		if err := c.Replay(Record{Key: key, Value: value}, &n); err != nil {
			t.Fatal(err)
		}
	}
	for version := int16(0); version <= 2; version++ {
		k := kmsg.NewGroupMetadataKey()
		k.Version, k.Group = 2, "old"
		v := kmsg.NewGroupMetadataValue()
		v.Version, v.ProtocolType, v.Generation = version, "consumer", int32(version)
		v.Protocol, v.Leader = kmsg.StringPtr("range"), kmsg.StringPtr("m2")
		for _, id := range []string{"m1", "m2"} {
			m := kmsg.NewGroupMetadataValueMember()
			m.MemberID, m.SessionTimeoutMillis, m.RebalanceTimeoutMillis = id, 6000, 7000
			m.Subscription = subscribe([]string{"t" + id})
			v.Members = append(v.Members, m)
		}
		replay(k.AppendTo(nil), v.AppendTo(nil))
		g := c.groups["old"]
		want := 7 * time.Second
		if version == 0 { // the session's time-out stood for both
			want = 6 * time.Second
		}
		if g.members[0].rebalance != want || g.leader != "m2" || g.generation != int32(version) || g.state != Stable {
			t.Errorf("group v%d: %+v, first member %+v", version, g, g.members[0])
		}
		if !g.reads("tm1") || !g.reads("tm2") || g.reads("t") {
			t.Errorf("group v%d: subscribed to %v", version, g.subscribed)
		}
		if g.stateSince.IsZero() != (version < 2 || v.CurrentStateTimestamp < 0) {
			t.Errorf("group v%d: in its state since %v", version, g.stateSince)
		}
	}
	for version := int16(0); version <= 2; version++ {
		k := kmsg.NewOffsetCommitKey()
		k.Version, k.Group, k.Topic, k.Partition = version%2, "old", "t", 1
		v := kmsg.NewOffsetCommitValue()
		v.Version, v.Offset = version, int64(version)+10
		replay(k.AppendTo(nil), v.AppendTo(nil))
		if o := c.groups["old"].offsets["t"][1]; o.offset != int64(version)+10 || o.leaderEpoch != -1 {
			t.Errorf("offset v%d: %+v", version, o)
		}
	}
	// Kinds and versions of the future are skipped and counted.
	before := n
	replay([]byte{0, 99, 0, 1, 'g'}, []byte{0, 0})
	k := kmsg.NewOffsetCommitKey()
	k.Version, k.Group, k.Topic = 1, "old", "t"
	replay(k.AppendTo(nil), []byte{0, 99, 1, 2, 3})
	gk := kmsg.NewGroupMetadataKey()
	gk.Version, gk.Group = 2, "old"
	replay(gk.AppendTo(nil), []byte{0, 99})
	if n.Skipped != before.Skipped+3 || n.Offsets != before.Offsets || n.Groups != before.Groups {
		t.Errorf("replayed %+v after %+v", n, before)
	}
	// A member twice, or an instance id twice, would not be one group.
	if got := c.groups["old"].members; len(got) != 2 {
		t.Error(got)
	}
}

func TestReplayErrors(t *testing.T) {
	for name, r := range goldens() {
		for cut := range r.Key {
			checkReplayError(t, name, Record{Key: r.Key[:cut], Value: r.Value})
		}
		for cut := range r.Value {
			if cut > 0 || r.Value != nil {
				checkReplayError(t, name, Record{Key: r.Key, Value: r.Value[:cut]})
			}
		}
	}
	// Tagged fields that lie about their number or length.
	v4, _ := hex.DecodeString(strings.NewReplacer(" ", "", "|", "").Replace("0004 0000000000000102 00000007 02 6d 000000e8d4a51000"))
	key := offsetRecord("g", "t", 5, nil).Key
	for _, tags := range [][]byte{
		{0xff, 0xff, 0xff, 0xff, 0x0f},
		{1, 0, 15},
		{1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f},
		{1, 9, 4, 1, 2, 3},
		binary.AppendUvarint(nil, 1<<40),
	} {
		checkReplayError(t, "tags", Record{Key: key, Value: slices.Concat(v4, tags)})
	}
	// Unknown tagged fields are of a newer broker and harmless.
	var n Replayed
	if err := newWorld().c.Replay(Record{Key: key, Value: slices.Concat(v4, []byte{1, 9, 3, 1, 2, 3})}, &n); err != nil {
		t.Error(err)
	}
}

func checkReplayError(t *testing.T, name string, r Record) {
	t.Helper()
	c := newWorld().c
	var n Replayed
	if err := c.Replay(r, &n); err == nil {
		t.Errorf("%s: %x %x was taken", name, r.Key, r.Value)
	}
	if len(c.groups) > 0 {
		t.Errorf("%s: a record in error left %v", name, c.groups)
	}
}

// A record whose offset is of another topic than the one of that name now, or
// of none, is forgotten when the log is loaded.
func TestLoadedForgetsTopicsThatAreGone(t *testing.T) {
	w := newWorld()
	var n Replayed
	for topic, id := range map[string]byte{"here": 1, "recreated": 2, "gone": 3, "unknown-id": 0} {
		o := offset{topicID: [16]byte{id}, expires: -1}
		if err := w.c.Replay(offsetRecord("g", topic, 0, &o), &n); err != nil {
			t.Fatal(err)
		}
	}
	w.effects(w.c.Loaded(w.now, testTopics{"here": {id: TopicID{1}}, "recreated": {id: TopicID{20}}, "unknown-id": {id: TopicID{30}}}))
	var left []string
	w.c.groups["g"].sortedOffsets(func(topic string, _ int32, _ offset) { left = append(left, topic) })
	if !slices.Equal(left, []string{"here", "unknown-id"}) {
		t.Error(left)
	}
	if len(w.log) != 2 {
		t.Errorf("%d tombstones were written for two offsets", len(w.log))
	}
}

func FuzzReplay(f *testing.F) {
	for _, r := range goldens() {
		f.Add(r.Key, r.Value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		cfg := DefaultConfig()
		cfg.NewID = func() string { return "" }
		c := New(cfg)
		var n Replayed
		if err := c.Replay(Record{Key: key, Value: value}, &n); err != nil && len(c.groups) > 0 {
			t.Errorf("a record in error left %v", c.groups)
		}
		now := time.Unix(1e9, 0)
		c.Loaded(now, nil)
		// Whatever was there can be shown, expired and written again.
		c.Step(now, List{})
		for _, g := range c.sortedGroups() {
			c.Step(now, Describe{Group: g.id})
			c.Step(now, FetchOffsets{Group: g.id, All: true})
		}
		now = now.Add(365 * 24 * time.Hour)
		c.Step(now, Tick{})
		for _, g := range c.sortedGroups() {
			if _, _, err := decode(g.record(nil)); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzSubscription(f *testing.F) {
	f.Add(subscribe([]string{"a", "bc"}))
	f.Add(subscribe(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		topics, err := subscription(b)
		if err != nil {
			return
		}
		// It is what kmsg reads, for as far as kmsg reads it.
		m := kmsg.NewConsumerMemberMetadata()
		if m.ReadFrom(b) == nil && !slices.Equal(topics, m.Topics) {
			t.Errorf("%q, kmsg reads %q", topics, m.Topics)
		}
	})
}

// The log's errors as clients of a group expect them (Kafka's
// appendGroupMetadataErrorToResponseError): retriable ones stay retriable.
func TestCodeOf(t *testing.T) {
	for _, q := range []struct {
		err  error
		want int16
	}{
		{nil, 0},
		{fmt.Errorf("disk: %w", kerr.KafkaStorageError), kerr.NotCoordinator.Code},
		{kerr.NotLeaderForPartition, kerr.NotCoordinator.Code},
		{kerr.UnknownTopicOrPartition, kerr.CoordinatorNotAvailable.Code},
		{kerr.RequestTimedOut, kerr.CoordinatorNotAvailable.Code},
		{kerr.MessageTooLarge, kerr.UnknownServerError.Code},
		{kerr.InvalidRecord, kerr.InvalidRecord.Code},
		{errors.New("else"), kerr.UnknownServerError.Code},
	} {
		if got := codeOf(q.err); got != q.want {
			t.Errorf("%v: %v", q.err, kerr.ErrorForCode(got))
		}
	}
}
