package main

import (
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
	b.same(b.mustRun("group", "describe", "queue"), `queue  Empty, 0 members, lag 6
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
