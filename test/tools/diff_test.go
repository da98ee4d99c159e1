package tools

import (
	"slices"
	"testing"
)

// What is a run's own is taken out, and nothing else.
func TestPlain(t *testing.T) {
	b := broker{"127.0.0.1:9092", "/data"}
	got := b.plain([]string{
		"Topic: t  TopicId: 8dA-BQq2SmWgQ3xkBB_0cA\tLeader: 1",
		"failed: GroupNotEmptyException at 1700000000000 of 17000000000000",
		"AlterShareGroupOffsets(91), log.retention.check.ms",
		"  at org.apache.kafka.Tool.main(Tool.java:5)",
		"member-a-0fimgaRmR6COxtlBNiKF2Q /data/t-0 127.0.0.1:9092 9092 /dir/x",
	}, "/dir")
	want := []string{
		"Topic: t TopicId: ID Leader: 1",
		"failed: GroupNotEmptyException at TIME of 17000000000000",
		"AlterShareGroupOffsets(91), log.retention.check.ms",
		"member-a-ID DATA/t-0 BROKER PORT DIR/x",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// A line that differs must be known, and one that is known must differ.
func TestCompare(t *testing.T) {
	steps, err := parse("TopicCommand --list\n  kafka: a\\d\n  leat: b\n  because: of that\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		kafka, leat []string
		wrong       int
	}{
		{[]string{"x", "a1", "y"}, []string{"x", "b", "y"}, 0},
		{[]string{"x", "a1", "y"}, []string{"x", "b"}, 1},
		{[]string{"x", "a1"}, []string{"b", "x"}, 0},
		{[]string{"x"}, []string{"x"}, 2},
		{[]string{"x", "y", "a1"}, []string{"y", "x", "b"}, 2},
	} {
		if wrong := steps[0].compare(x.kafka, x.leat); len(wrong) != x.wrong {
			t.Errorf("%q and %q: %d are wrong, want %d: %q", x.kafka, x.leat, len(wrong), x.wrong, wrong)
		}
	}
	steps[0].Unordered = true
	if wrong := steps[0].compare([]string{"x", "y", "a1"}, []string{"y", "b", "x"}); len(wrong) > 0 {
		t.Errorf("in any order: %q", wrong)
	}
	for _, bad := range []string{"NoTool", " kafka: x", "TopicCommand\n  kafka: x", "TopicCommand\n  because: why", "TopicCommand\n  nobody: x"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is a script", bad)
		}
	}
}
