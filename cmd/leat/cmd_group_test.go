package main

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// groups is filled (ten records in partition 0 of in) with group g, which has
// committed 4 in partition 0 and 0 in partition 1, and group other, at 7.
func groups(t *testing.T) *bench {
	b := filled(t)
	adm := kadm.NewClient(b.client())
	for group, at := range map[string][]int64{"g": {4, 0}, "other": {7}} {
		var o kadm.Offsets
		for p, n := range at {
			o.AddOffset("in", int32(p), n, -1)
		}
		if err := adm.CommitAllOffsets(t.Context(), group, o); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// busy gives group g a member for as long as the test runs.
func (b *bench) busy() {
	b.t.Helper()
	cl := b.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"), kgo.DisableAutoCommit(), kgo.InstanceID("i1"), kgo.ClientID("worker"))
	if err := cl.PollFetches(b.t.Context()).Err(); err != nil { // it has partitions now
		b.t.Fatal(err)
	}
}

func TestGroupList(t *testing.T) {
	t.Parallel()
	b := groups(t)
	b.same(b.mustRun("group", "list"), "GROUP  STATE  TYPE     PROTOCOL  COORDINATOR\ng      Empty  classic  -         @\nother  Empty  classic  -         @\n")
	b.contains(b.mustRun("group", "list", "-o", "json"), `"group": "g"`)
}

func TestGroupDescribe(t *testing.T) {
	t.Parallel()
	b := groups(t)
	b.same(b.mustRun("group", "describe", "g"), `g  classic, Empty, 0 members, lag 6
TOPIC  PARTITION  COMMITTED  END  LAG  MEMBER  ERROR
in     0          4          10   6    -       -
in     1          0          0    0    -       -
`)
	r := b.run("group", "describe", "g", "nobody", "-o", "json")
	var got []groupDescription
	b.decode(r.out, &got)
	if r.code != 1 || len(got) != 2 || got[0].Lag != 6 || got[1].Error == "" {
		t.Errorf("exit %d, %+v", r.code, got)
	}
	b.busy()
	b.decode(b.mustRun("group", "describe", "g", "-o", "json"), &got)
	if len(got[0].Members) != 1 || got[0].Members[0].Instance != "i1" || got[0].Members[0].Client != "worker" ||
		got[0].Partitions[0].Member != got[0].Members[0].Member {
		t.Errorf("%+v", got[0])
	}
	b.contains(b.mustRun("group", "describe", "g"), "MEMBER ")
}

func TestGroupSeek(t *testing.T) {
	t.Parallel()
	b := groups(t)
	const header = "TOPIC  PARTITION  FROM  TO  ERROR\n"
	const toEnd = header + "in     0          4     10  -\nin     1          0     0   -\n"
	b.same(b.mustRun("group", "seek", "g", "--to", "end", "--dry-run"), toEnd)
	if r := b.run("group", "seek", "g", "--to", "end"); r.code != 2 {
		t.Errorf("without --yes: exit %d", r.code)
	}
	b.same(b.mustRun("group", "seek", "g", "--to", "end", "-y"), toEnd) // the dry run and the refusal moved nothing
	b.same(b.mustRun("group", "seek", "g", "--to", "@2026-01-15T12:03:00Z", "--topic", "in", "-p", "0", "-y"), header+"in     0          10    3   -\n")
	b.same(b.mustRun("group", "seek", "g", "--to-group", "other", "-y"), header+"in     0          3     7   -\n")
	b.same(b.mustRun("group", "seek", "new", "--to", "-1", "--topic", "in", "-p", "0", "-y"), header+"in     0          -1    9   -\n")
	b.same(b.mustRun("consume", "in", "-g", "new", "-n", "1"), "v9\n")
	for args, want := range map[string]string{
		"seek g --to 99 -y":            "in partition 0 holds offsets 0 to 10, 99 is not among them",
		"seek nobody --to end -y":      "name the topic with --topic",
		"seek g --to-group nobody -y":  "group nobody has committed no offsets there",
		"seek g --to end --topic x -y": "topic x: UNKNOWN_TOPIC_OR_PARTITION",
	} {
		r := b.run(append([]string{"group"}, strings.Fields(args)...)...)
		if r.code != 1 {
			t.Errorf("%s: exit %d", args, r.code)
		}
		b.contains(r.err, want)
	}
	for _, args := range []string{"seek g", "seek g --to end --to-group x", "seek g --to end -p 1", "seek g --to soon"} {
		if r := b.run(append([]string{"group"}, strings.Fields(args)...)...); r.code != 2 {
			t.Errorf("%s: exit %d", args, r.code)
		}
	}
}

// The offsets of a group with members are theirs.
func TestGroupWithMembersIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := groups(t)
	b.busy()
	b.contains(b.run("group", "seek", "g", "--to", "end", "-y").err, "group g: has 1 member (state Stable): stop them first")
	r := b.run("group", "delete", "g", "-y")
	if r.code != 1 || !strings.Contains(r.err, "g: NON_EMPTY_GROUP") {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	b.contains(b.run("group", "delete", "g", "--dry-run").err, "stop them first")
}

func TestGroupDelete(t *testing.T) {
	t.Parallel()
	b := groups(t)
	r := b.run("group", "delete", "g", "nobody", "--dry-run")
	b.same(r.out, "g: would be deleted\n")
	if r.code != 1 {
		t.Errorf("exit %d", r.code)
	}
	r = b.run("group", "delete", "g", "nobody", "-y")
	b.same(r.out, "g: deleted\n")
	b.contains(r.err, "nobody: GROUP_ID_NOT_FOUND")
	if r.code != 1 {
		t.Errorf("exit %d", r.code)
	}
	b.same(b.mustRun("group", "list"), "GROUP  STATE  TYPE     PROTOCOL  COORDINATOR\nother  Empty  classic  -         @\n")
}

func TestGroupOffsetDelete(t *testing.T) {
	t.Parallel()
	b := groups(t)
	b.same(b.mustRun("group", "offset-delete", "g", "in:1", "--dry-run"), "TOPIC  PARTITION  FORGOTTEN  ERROR\nin     1          0          -\n")
	b.mustRun("group", "offset-delete", "g", "in:1", "-y")
	b.same(b.mustRun("group", "offset-delete", "g", "in", "--yes", "-o", "json"), `[
  {
    "topic": "in",
    "partition": 0,
    "from": 4,
    "to": -1
  }
]
`)
	b.contains(b.run("group", "offset-delete", "g", "in", "-y").err, "group g has committed no offsets there")
	for _, bad := range []string{":1", "in:x", "in:-1"} {
		if r := b.run("group", "offset-delete", "other", bad); r.code != 2 {
			t.Errorf("%s: exit %d", bad, r.code)
		}
	}
}

// A group of the consumer protocol is shown, and left alone while it has members, as
// one of the classic protocol.
func TestGroupOfTheConsumerProtocol(t *testing.T) {
	t.Parallel()
	b := groups(t)
	cl := b.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"), kgo.DisableAutoCommit(), kgo.ServerSideBalancer(), kgo.ClientID("worker"))
	if err := cl.PollFetches(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	var got []groupDescription
	b.decode(b.mustRun("group", "describe", "g", "-o", "json"), &got)
	g := got[0]
	if g.State != "Stable" || g.Protocol != "uniform" || len(g.Members) != 1 || g.Members[0].Client != "worker" || g.Lag != 6 || len(g.Partitions) != 2 ||
		g.Partitions[0].Committed != 4 || g.Partitions[0].Lag != 6 || g.Partitions[1].Lag != 0 {
		t.Errorf("%+v", g)
	}
	b.contains(b.run("group", "seek", "g", "--to", "end", "-y").err, "group g: has 1 member (state Stable): stop them first")
	b.contains(b.run("group", "delete", "g", "--dry-run").err, "stop them first")
	cl.LeaveGroup()
	b.contains(b.mustRun("group", "describe", "g"), "Empty, 0 members, lag 6\n")
	b.contains(b.mustRun("group", "seek", "g", "--to", "end", "-y"), "in     0          4     10  -\n")
	b.same(b.mustRun("group", "delete", "g", "-y"), "g: deleted\n")
}
