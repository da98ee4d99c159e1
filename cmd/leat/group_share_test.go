package main

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A share group is listed, described with its lag, and deleted like any other.
func TestGroupShare(t *testing.T) {
	t.Parallel()
	b := filled(t) // ten records in partition 0 of in
	adm := kadm.NewClient(b.client())
	var at kadm.Offsets
	at.AddOffset("in", 0, 4, -1)
	if _, err := adm.AlterShareGroupOffsets(t.Context(), "queue", at); err != nil {
		t.Fatal(err)
	}
	b.contains(b.mustRun("group", "list"), "queue  Empty  share")
	b.same(b.mustRun("group", "describe", "queue"), `queue  share, Empty, 0 members, lag 6
TOPIC  PARTITION  COMMITTED  END  LAG  MEMBER  ERROR
in     0          4          10   6    -       -
`)
	cl := b.client(kgo.ShareGroup("queue"), kgo.ConsumeTopics("in"), kgo.ClientID("worker"))
	fs := cl.PollFetches(t.Context())
	if err := fs.Err(); err != nil || fs.NumRecords() != 6 {
		t.Fatal(fs.NumRecords(), err)
	}
	var got []groupDescription
	b.decode(b.mustRun("group", "describe", "queue", "-o", "json"), &got)
	if len(got[0].Members) != 1 || got[0].Members[0].Client != "worker" || got[0].Lag != 6 {
		t.Errorf("%+v", got[0])
	}
	if r := b.run("group", "delete", "queue", "--dry-run"); r.code != 1 {
		t.Errorf("a group with a member would be deleted: %+v", r)
	}
	cl.Close()
	b.contains(b.mustRun("group", "delete", "queue", "--dry-run"), "would be deleted")
	b.contains(b.mustRun("group", "delete", "queue", "--yes"), "deleted")
	b.same(b.mustRun("group", "list", "-o", "json"), "[]\n")
}

// A share group is moved and made to forget by its own requests.
func TestGroupShareOffsets(t *testing.T) {
	t.Parallel()
	b := filled(t) // ten records in partition 0 of in
	adm := kadm.NewClient(b.client())
	var at kadm.Offsets
	at.AddOffset("in", 0, 4, -1)
	if _, err := adm.AlterShareGroupOffsets(t.Context(), "queue", at); err != nil {
		t.Fatal(err)
	}
	const header = "TOPIC  PARTITION  FROM  TO  ERROR\n"
	b.same(b.mustRun("group", "seek", "queue", "--to", "end", "--dry-run"), header+"in     0          4     10  -\nin     1          -1    0   -\n")
	b.same(b.mustRun("group", "seek", "queue", "--to", "-2", "-y"), header+"in     0          4     8   -\nin     1          -1    0   -\n")
	b.contains(b.mustRun("group", "describe", "queue"), "queue  share, Empty, 0 members, lag 2\n")
	b.same(b.mustRun("group", "seek", "copy", "--to-group", "queue", "-y"), header+"in     0          -1    8   -\nin     1          -1    0   -\n")
	b.contains(b.mustRun("group", "list"), "copy   Empty  classic")

	r := b.run("group", "offset-delete", "queue", "in:0", "-y")
	if r.code != 2 {
		t.Errorf("a single partition: exit %d", r.code)
	}
	b.contains(r.err, "forgets whole topics: name in without a partition")
	b.same(b.mustRun("group", "offset-delete", "queue", "in", "-y"), "TOPIC  PARTITION  FORGOTTEN  ERROR\nin     0          8          -\nin     1          0          -\n")
	b.contains(b.run("group", "offset-delete", "queue", "in", "-y").err, "group queue has committed no offsets there")

	b.mustRun("group", "config", "set", "queue", "share.auto.offset.reset=earliest")
	cl := b.client(kgo.ShareGroup("queue"), kgo.ConsumeTopics("in"))
	if err := cl.PollFetches(t.Context()).Err(); err != nil { // it is a member now
		t.Fatal(err)
	}
	b.contains(b.run("group", "seek", "queue", "--to", "end", "--topic", "in", "-y").err, "group queue: has 1 member (state Stable): stop them first")
}

func TestGroupConfig(t *testing.T) {
	t.Parallel()
	b := setupLeat(t) // kfake tells no defaults and takes any value
	b.same(b.mustRun("group", "config", "set", "queue", "share.auto.offset.reset=earliest", "--dry-run"), "queue: 1 config would be changed\n")
	b.contains(b.mustRun("group", "config", "get", "queue", "share.auto.offset.reset"), "latest")
	b.same(b.mustRun("group", "config", "set", "queue", "share.auto.offset.reset=earliest"), "queue: 1 config changed\n")
	b.same(b.mustRun("group", "config", "get", "queue", "share.auto.offset.reset"),
		"CONFIG                   VALUE     SOURCE\nshare.auto.offset.reset  earliest  group\n")
	b.mustRun("group", "config", "set", "queue", "--unset", "share.auto.offset.reset")
	b.contains(b.mustRun("group", "config", "get", "queue", "share.auto.offset.reset"), "latest")
	r := b.run("group", "config", "set", "queue", "share.auto.offset.reset=sometimes")
	if r.code != 1 || r.out != "" {
		t.Errorf("exit %d, stdout %q", r.code, r.out)
	}
	b.contains(r.err, "group queue: INVALID_CONFIG")
}

// Two readers of a queue share its records; what one has written is not there for the
// other.
func TestConsumeShare(t *testing.T) {
	t.Parallel()
	b := filled(t) // ten records in partition 0 of in
	b.mustRun("group", "config", "set", "queue", "share.auto.offset.reset=earliest")
	b.same(b.mustRun("consume", "in", "--share", "queue", "-n", "3"), "v0\nv1\nv2\n")
	b.same(b.mustRun("consume", "in", "--share", "queue", "-n", "7"), "v3\nv4\nv5\nv6\nv7\nv8\nv9\n")
	b.contains(b.mustRun("group", "describe", "queue"), "queue  share, Empty, 0 members, lag 0\n")
	for _, args := range []string{"-g g", "--to end", "-p 0", "--from start", "--committed"} {
		if r := b.run(append([]string{"consume", "in", "--share", "queue"}, strings.Fields(args)...)...); r.code != 2 {
			t.Errorf("%s: exit %d", args, r.code)
		}
	}
	if r := b.run("consume", "nowhere", "--share", "queue", "-n", "1"); r.code != 1 {
		t.Errorf("no such topic: exit %d", r.code)
	}
	b.contains(b.run("consume", "in", "-g", "queue", "-n", "1").err, "group queue is a share group: read with --share queue")
	b.mustRun("group", "seek", "plain", "--to", "end", "--topic", "in", "-y")
	b.contains(b.run("consume", "in", "--share", "plain", "-n", "1").err, "group plain is a consumer group, not a share group: read with -g plain")
}
