package group

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func TestConsumerGoldenRecords(t *testing.T) {
	const topic = "7400000000000000 0000000000000000"
	tid := topicIDOf("t", 1)
	inst := "i"
	m := &consumerMember{
		modernMember: modernMember{id: "a", clientID: "c", clientHost: "/h", topics: []string{"t"}, epoch: 7, previous: 6},
		instance:     &inst, rebalance: time.Minute, regex: "x", assignor: "range", state: unrevoked,
		assigned: map[partition]int32{{tid, 0}: 5}, revoking: map[partition]int32{{tid, 2}: 4},
	}
	classic := *m
	classic.instance, classic.regex, classic.assignor = nil, "", ""
	classic.classic = &classicSide{session: 10 * time.Second, protocols: []protocol{{"range", []byte{9}}}}
	for _, q := range []struct {
		name, want string
		r          Record
	}{
		{"group", "0003 0001 67 | 0000 00000007 01 00 08 0102030405060708", consumerGroupRecord("g", 7, 0x0102030405060708)},
		{"group without topics", "0003 0001 67 | 0000 00000007 00", consumerGroupRecord("g", 7, 0)},
		{"member", "0005 0001 67 0001 61 | 0000 02 69 00 02 63 03 2f68 02 02 74 02 78 0000ea60 06 72616e6765 00", consumerMemberRecord("g", m)},
		{"classic member", "0005 0001 67 0001 61 | 0000 00 00 02 63 03 2f68 02 02 74 01 0000ea60 00 01 00 10 01 00002710 02 06 72616e6765 02 09 00 00",
			consumerMemberRecord("g", &classic)},
		{"target", "0006 0001 67 | 0000 00000007 01 00 08 000000e8d4a51000", consumerTargetRecord("g", 7, 1_000_000_000_000)},
		{"target, long ago", "0006 0001 67 | 0000 00000007 00", consumerTargetRecord("g", 7, 0)},
		{"target of a member", "0007 0001 67 0001 61 | 0000 02 " + topic + " 03 00000000 00000002 00 00",
			targetOneRecord(keyConsumerTargetOne, "g", "a", []partition{{tid, 0}, {tid, 2}})},
		{"current", "0008 0001 67 0001 61 | 0000 00000007 00000006 01 02 " + topic + " 02 00000000 01 00 05 02 00000005 02 " +
			topic + " 02 00000002 01 00 05 02 00000004 00", consumerCurrentRecord("g", m)},
		{"expression", "0010 0001 67 0001 78 | 0000 02 02 74 0000000000000000 000000e8d4a51000 00",
			consumerExpressionRecord("g", "x", []string{"t"}, 1_000_000_000_000)},
	} {
		k, v, _ := strings.Cut(strings.ReplaceAll(q.want, " ", ""), "|")
		if got := hex.EncodeToString(q.r.Key); got != k {
			t.Errorf("%s: key\n%s, want\n%s", q.name, got, k)
		}
		if got := hex.EncodeToString(q.r.Value); got != v {
			t.Errorf("%s: value\n%s, want\n%s", q.name, got, v)
		}
		checkConsumerReplay(t, q.name, q.r)
	}
}

// checkConsumerReplay sees that a record is replayed as what it was written from, and
// that none of its beginnings is.
func checkConsumerReplay(t *testing.T, name string, r Record) {
	t.Helper()
	c := newWorld().c
	var n Replayed
	if err := c.Replay(r, &n); err != nil || n != (Replayed{Groups: 1}) {
		t.Errorf("%s: %v, %+v", name, err, n)
		return
	}
	found := false
	for _, again := range c.groups["g"].consumer().records(1_000_000_000_000) {
		found = found || bytes.Equal(again.Key, r.Key) && bytes.Equal(again.Value, r.Value)
	}
	if !found {
		t.Errorf("%s: %x is not what was replayed", name, r.Value)
	}
	for cut := range r.Key {
		checkReplayError(t, name, Record{Key: r.Key[:cut], Value: r.Value})
	}
	for cut := range r.Value {
		checkReplayError(t, name, Record{Key: r.Key, Value: r.Value[:cut]})
	}
	// A newer version is left alone.
	n = Replayed{}
	if err := newWorld().c.Replay(Record{Key: r.Key, Value: append([]byte{0, 1}, r.Value[2:]...)}, &n); err != nil || n.Skipped != 1 {
		t.Errorf("%s, version 1: %v, %+v", name, err, n)
	}
}

// records are all records of the group, as a log has them in which each is there once.
// at is the time that it says expressions were resolved.
func (cg *consumerGroup) records(at int64) []Record {
	id := cg.g.id
	rs := []Record{consumerGroupRecord(id, cg.epoch, cg.hash)}
	for _, m := range cg.memberIDs() {
		rs = append(rs, consumerMemberRecord(id, cg.members[m]), consumerCurrentRecord(id, cg.members[m]))
	}
	rs = append(rs, consumerTargetRecord(id, cg.targetEpoch, cg.targetAt))
	for _, m := range sortedNames(cg.target) {
		rs = append(rs, targetOneRecord(keyConsumerTargetOne, id, m, cg.target[m]))
	}
	for _, x := range sortedNames(cg.expressions) {
		rs = append(rs, consumerExpressionRecord(id, x, cg.expressions[x].topics, at))
	}
	return rs
}
