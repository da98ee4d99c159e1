package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/deadletter"
	"github.com/leatdev/leat/worker"
)

// letters starts a broker with support.dlq: three letters of two causes of the
// step support.tags, in partition 0, and that step's redrive topic.
func letters(t *testing.T) *bench {
	b := setup(t, "support.dlq", "support.tags.redrive", "plain")
	for i, reason := range []string{"status 422: no text", "invalid character 'x'", "invalid character 'x'"} {
		b.produce(&kgo.Record{Topic: "support.dlq", Key: []byte("k"), Value: fmt.Appendf(nil, `{"n":%d}`, i), Timestamp: time.Now().Add(-2 * time.Hour),
			Headers: []kgo.RecordHeader{
				{Key: "own", Value: []byte("kept")},
				{Key: worker.HeaderDLQTopic, Value: []byte("support.messages")},
				{Key: worker.HeaderDLQPartition, Value: []byte("1")},
				{Key: worker.HeaderDLQOffset, Value: fmt.Append(nil, 40+i)},
				{Key: worker.HeaderDLQMessage, Value: []byte(reason)},
				{Key: worker.HeaderDLQPipeline, Value: []byte("support")},
				{Key: worker.HeaderDLQStep, Value: []byte("tags")},
				{Key: worker.HeaderDLQClass, Value: []byte("poison")},
			}})
	}
	b.produce(&kgo.Record{Topic: "plain", Value: []byte("no dead letter")})
	return b
}

func TestDLQListAndShow(t *testing.T) {
	t.Parallel()
	b := letters(t)
	b.same(b.mustRun("dlq", "list"), "TOPIC        OPEN  REDRIVEN  OLDEST  CLASS   MOSTLY\nsupport.dlq  3     0         2h      poison  invalid character 'x'\n")
	var sums []deadletter.Summary
	b.decode(b.mustRun("dlq", "list", "-o", "json"), &sums)
	if len(sums) != 1 || sums[0].Open != 3 || sums[0].ClassOpen != 2 {
		t.Errorf("%+v", sums)
	}
	var causes []deadletter.Cause
	b.decode(b.mustRun("dlq", "show", "support.dlq", "-o", "json"), &causes)
	if len(causes) != 2 || causes[0].Open != 2 || causes[0].Sample != "support.dlq/0/2" {
		t.Errorf("%+v", causes)
	}
	b.contains(b.mustRun("dlq", "show", "support.dlq", "--group-by", "source"), "support.messages")
	var one wholeLetter
	b.decode(b.mustRun("dlq", "show", "support.dlq/0/0", "-o", "json"), &one)
	if one.Message != "status 422: no text" || one.Record.Payload == nil || *one.Record.Payload != `{"n":0}` {
		t.Errorf("%+v", one)
	}
	b.contains(b.mustRun("dlq", "show", "support.dlq/0/0"), "The record as it was:\nkey    k\nheader own=kept\nvalue  {\"n\":0}\n")
	if r := b.run("dlq", "show", "support.dlq", "--group-by", "mood"); r.code != 2 {
		t.Errorf("exit %d", r.code)
	}
	if r := b.run("dlq", "show", "support.dlq/0/99"); r.code != 1 {
		t.Errorf("a place without a record: exit %d, %s", r.code, r.out)
	}
}

func TestDLQListOfNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.same(b.mustRun("dlq", "list", "-o", "json"), "[]\n")
}

func TestDLQRedrive(t *testing.T) {
	t.Parallel()
	b := letters(t)
	dry := b.mustRun("dlq", "redrive", "support.dlq", "--dry-run")
	b.contains(dry, "support.dlq: 3 open, 3 wanted, 3 would be redriven (")
	b.contains(dry, "support.tags.redrive  3\n")
	if r := b.run("dlq", "redrive", "support.dlq"); r.code != 2 || !strings.Contains(r.err, "Redrive every open dead letter of support.dlq?") {
		t.Errorf("no condition and no --yes: exit %d, %s", r.code, r.err)
	}
	b.same(b.mustRun("consume", "support.tags.redrive", "--to", "end"), "")

	b.contains(b.mustRun("dlq", "redrive", "support.dlq/0/1", "--rate", "0"), "3 open, 1 wanted, 1 redriven")
	b.same(b.mustRun("consume", "support.tags.redrive", "--to", "end", "-f", "%k %v"), "k {\"n\":1}\n")
	r := b.run("dlq", "redrive", "support.dlq/0/1")
	if r.code != 1 || !strings.Contains(r.err, "1 of the letters named are not open") {
		t.Errorf("redriven twice: exit %d, %s", r.code, r.err)
	}

	var res deadletter.RedriveResult
	b.decode(b.mustRun("dlq", "redrive", "support.dlq", "--where", "value.n == 2", "--since", "3h", "--rate", "0", "-o", "json"), &res)
	if res.Open != 2 || res.Matched != 1 || res.Redriven != 1 {
		t.Errorf("%+v", res)
	}
	b.contains(b.mustRun("dlq", "redrive", "support.dlq", "--yes", "--to", "plain"), "1 open, 1 wanted, 1 redriven")
	b.contains(b.mustRun("dlq", "list", "support.dlq"), "support.dlq  0     3 ")
}

func TestDLQRedriveRefuses(t *testing.T) {
	t.Parallel()
	b := letters(t)
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"support.dlq other", "want one topic, or TOPIC/PARTITION/OFFSET", 2},
		{"a/0/1 b/0/1", "one topic at a time", 2},
		{"support.dlq --since yesterday", "yesterday", 2},
		{"support.dlq --max -1", "0 or more", 2},
		{"support.dlq -y --to nowhere", "nowhere", 1},
		{"support.dlq --where nonsense(", "filter", 2},
		{"support.dlq --where value.n.x>1 --dry-run", "--where fails on them", 1},
	} {
		r := b.run(append([]string{"dlq", "redrive"}, strings.Fields(c.args)...)...)
		if r.code != c.code {
			t.Errorf("%s: exit %d, %s", c.args, r.code, r.err)
		}
		b.contains(r.err, c.want)
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{-time.Second: "0s", 5 * time.Second: "5s", 61 * time.Second: "1m", 3 * time.Hour: "3h", 72 * time.Hour: "3d"} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
	if ago(time.Time{}, now) != "" || short("a\nb", 9) != "a b" || short("abcdef", 4) != "abc…" {
		t.Error("ago or short")
	}
}
