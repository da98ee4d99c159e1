package main

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestTopicList(t *testing.T) {
	t.Parallel()
	b := setup(t, "in", "orders", "out")
	b.produce(&kgo.Record{Topic: "orders", Partition: 0}, &kgo.Record{Topic: "orders", Partition: 1}, &kgo.Record{Topic: "orders", Partition: 1})
	b.same(b.mustRun("topic", "list"), `TOPIC   PARTITIONS  RECORDS
in      2           0
orders  2           3
out     2           0
`)
	b.same(b.mustRun("topic", "list", "none"), "TOPIC  PARTITIONS  RECORDS\n")
	b.same(b.mustRun("topic", "list", "none", "-o", "json"), "[]\n")
	b.same(masked(b.mustRun("topic", "list", "ord", "-o", "json")), `[
  {
    "topic": "orders",
    "id": "ID",
    "internal": false,
    "partitions": 2,
    "replicas": 1,
    "records": 3
  }
]
`)
	b.same(masked(b.mustRun("topic", "list", "ord", "-o", "yaml")), `- topic: orders
  id: ID
  internal: false
  partitions: 2
  replicas: 1
  records: 3
`)
	b.same(masked(b.mustRun("topic", "list", "ord", "-o", "wide")), `TOPIC   PARTITIONS  RECORDS  REPLICAS  INTERNAL  ID
orders  2           3        1         false     ID
`)
}

// One topic that fails makes the exit code 1, and the others are made all the same.
func TestTopicCreate(t *testing.T) {
	t.Parallel()
	b := setup(t, "old")
	r := b.run("topic", "create", "a", "old", "b", "-p", "3", "-c", "retention.ms=1000")
	b.same(r.out, "a: created with 3 partitions\nb: created with 3 partitions\n")
	b.contains(r.err, "old: TOPIC_ALREADY_EXISTS: ")
	b.contains(r.err, "error: 1 of 3 topics failed\n")
	if r.code != 1 {
		t.Errorf("exit %d", r.code)
	}
	r = b.run("topic", "create", "old", "c", "--dry-run", "-o", "json")
	var got []outcome
	b.decode(r.out, &got)
	if r.code != 1 || len(got) != 2 || got[0].Error == "" || got[1].Done != "would be created" {
		t.Errorf("exit %d, %+v", r.code, got)
	}
	b.same(b.mustRun("topic", "create", "old", "--if-not-exists"), "old: exists\n")
	b.same(b.mustRun("topic", "list"), "TOPIC  PARTITIONS  RECORDS\na      3           0\nb      3           0\nold    2           0\n")
	b.same(b.mustRun("topic", "config", "get", "a", "retention.ms"), "CONFIG        VALUE  SOURCE\nretention.ms  1000   topic\n")
}

func TestTopicDescribe(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.mustRun("topic", "config", "set", "in", "retention.ms=5000")
	b.produce(&kgo.Record{Topic: "in", Partition: 1}, &kgo.Record{Topic: "in", Partition: 1})
	b.same(masked(b.mustRun("topic", "describe", "in")), `in  ID
PARTITION  START  END  LEADER  EPOCH  REPLICAS  ISR  ERROR
0          0      0    @       @      @         @    -
1          0      2    @       @      @         @    -
CONFIG        VALUE  SOURCE
retention.ms  5000   topic
`)
	r := b.run("topic", "describe", "in", "nowhere", "-o", "json")
	var got []topicDescription
	b.decode(r.out, &got)
	if r.code != 1 || len(got) != 2 || len(got[0].Partitions) != 2 || got[0].Partitions[1].End != 2 || got[1].Error == "" {
		t.Errorf("exit %d, %+v", r.code, got)
	}
	b.contains(b.run("topic", "describe", "nowhere").err, "nowhere: UNKNOWN_TOPIC_OR_PARTITION")
}

func TestTopicDelete(t *testing.T) {
	t.Parallel()
	b := setup(t, "a", "b", "c")
	b.same(b.mustRun("topic", "delete", "a", "--dry-run"), "a: would be deleted, 2 partitions\n")
	r := b.run("topic", "delete", "a", "nowhere", "c", "--yes")
	b.same(r.out, "a: deleted\nc: deleted\n")
	b.contains(r.err, "nowhere: UNKNOWN_TOPIC_OR_PARTITION")
	if r.code != 1 {
		t.Errorf("exit %d", r.code)
	}
	b.same(b.mustRun("topic", "list"), "TOPIC  PARTITIONS  RECORDS\nb      2           0\n")
}

func TestTopicAddPartitions(t *testing.T) {
	t.Parallel()
	b := setup(t, "a", "b")
	b.same(b.mustRun("topic", "add-partitions", "a", "-n", "3"), "a: 3 partitions added\n")
	b.same(b.mustRun("topic", "add-partitions", "b", "--total", "4"), "b: 4 partitions now\n")
	b.same(b.mustRun("topic", "list"), "TOPIC  PARTITIONS  RECORDS\na      5           0\nb      4           0\n")
	if r := b.run("topic", "add-partitions", "nowhere", "-n", "1"); r.code != 1 {
		t.Errorf("unknown topic: exit %d", r.code)
	}
}

func TestTopicTrimPrefix(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	for range 5 {
		b.produce(&kgo.Record{Topic: "in", Partition: 0})
	}
	b.produce(&kgo.Record{Topic: "in", Partition: 1})
	const plan = `TOPIC  PARTITION  FROM  TO  RECORDS  ERROR
in     0          0     3   3        -
`
	b.same(b.mustRun("topic", "trim-prefix", "in", "--to", "-2", "--dry-run"), plan)
	if r := b.run("topic", "trim-prefix", "in", "--to", "-2"); r.code != 2 || r.out != "" {
		t.Errorf("without --yes: exit %d, %q", r.code, r.out)
	}
	b.same(b.mustRun("topic", "list"), "TOPIC  PARTITIONS  RECORDS\nin     2           6\n")
	b.same(b.mustRun("topic", "trim-prefix", "in", "--to", "-2", "-y"), plan)
	b.same(b.mustRun("topic", "list"), "TOPIC  PARTITIONS  RECORDS\nin     2           3\n")
	b.same(b.mustRun("topic", "trim-prefix", "in", "--to", "start", "-y", "-o", "json"), "[]\n")
	b.contains(b.run("topic", "trim-prefix", "in", "-p", "0", "--to", "9", "-y").err, "partition 0 ends at offset 5, cannot trim to 9")
	b.contains(b.run("topic", "trim-prefix", "in", "-p", "7", "--to", "end", "-y").err, "there is no partition 7")
	b.contains(b.run("topic", "trim-prefix", "nowhere", "--to", "end", "-y").err, "topic nowhere: UNKNOWN_TOPIC_OR_PARTITION")
}

func TestTopicConfig(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.same(b.mustRun("topic", "config", "set", "in", "retention.ms=7", "cleanup.policy=compact", "--dry-run"), "in: 2 configs would be changed\n")
	b.contains(b.mustRun("topic", "config", "get", "in", "cleanup.policy"), "default")
	b.same(b.mustRun("topic", "config", "set", "in", "cleanup.policy=compact"), "in: 1 config changed\n")
	b.same(b.mustRun("topic", "config", "get", "in", "cleanup.policy", "-o", "json"), `[
  {
    "name": "cleanup.policy",
    "value": "compact",
    "source": "topic"
  }
]
`)
	b.mustRun("topic", "config", "set", "in", "--unset", "cleanup.policy")
	b.contains(b.mustRun("topic", "config", "get", "in", "cleanup.policy"), "default")
	if r := b.run("topic", "config", "get", "in", "no.such.config"); r.code != 1 {
		t.Errorf("unknown config: exit %d", r.code)
	}
	if r := b.run("topic", "config", "set", "nowhere", "retention.ms=1"); r.code != 1 {
		t.Errorf("unknown topic: exit %d", r.code)
	}
}
