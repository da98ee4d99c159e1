package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/deadletter"
)

// TestMain lets the test binary stand in for leat when the demo starts one of
// its models as a child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == demoModelCommand {
		os.Exit(run(context.Background(), cli.OS(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// The demo as a user runs it, but for the rate: children, a killed model, a dead
// letter that is redriven, every record counted.
func TestDemoOnce(t *testing.T) {
	t.Parallel()
	b := &bench{t: t}
	r := b.run("demo", "--once", "--rate", "400", "--outage", "300ms", "--listen", "127.0.0.1:0")
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", r.code, r.out, r.err)
	}
	out := r.out
	for _, want := range []string{
		"487 of 487 messages have their row, 0 rows lack a part, 1 amended, 1 dead letter",
		"the process of the model mood is killed", "step support.mood pauses", "step support.mood goes on",
		"dead letter support.dlq/", "dlq redrive support.dlq -y", "kcat -b 127.0.0.1:",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
}

func TestDemoRefusesARateOfNothing(t *testing.T) {
	t.Parallel()
	b := &bench{t: t}
	if r := b.run("demo", "--rate", "0"); r.code != 2 || !strings.Contains(r.err, "--rate") {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
}

// What the demo counts must notice what it is there for.
func TestDemoTallyBites(t *testing.T) {
	t.Parallel()
	rec := func(offset int64) *kgo.Record { return &kgo.Record{Topic: "support.desk", Offset: offset} }
	whole, lacks := map[string]any{}, map[string]any{"missing": map[string]any{"class": "support.dlq/0/0"}}
	for name, c := range map[string]struct {
		play func(*demoTally)
		ok   bool
	}{
		"all rows":         {func(d *demoTally) { d.row(rec(0), whole); d.row(rec(1), whole) }, true},
		"a row is missing": {func(d *demoTally) { d.row(rec(0), whole) }, false},
		"a row came twice": {func(d *demoTally) { d.row(rec(0), whole); d.row(rec(0), whole) }, false},
		"one row too many": {func(d *demoTally) { d.row(rec(0), whole); d.row(rec(1), whole); d.row(rec(1), whole) }, false},
		"no dead letter":   {func(d *demoTally) { d.row(rec(0), whole); d.row(rec(1), lacks) }, false},
		"with its dead letter": {func(d *demoTally) {
			d.row(rec(0), whole)
			d.row(rec(1), lacks)
			d.dead(deadletter.Letter{Topic: "support.dlq"})
		}, true},
	} {
		d := newDemoTally(2)
		c.play(d)
		if err := d.check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
