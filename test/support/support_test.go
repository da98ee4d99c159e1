package support

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/support/audit"
)

var full = flag.Bool("full", os.Getenv("LEAT_FULL") != "", "all 13,083 messages and two kills, not 600 and one (also LEAT_FULL=1)")

func TestMain(m *testing.M) { leatproc.Main(m) }

// Real messages go through the support desk while its runner is killed with work in
// flight and one model server is restarted; every record is accounted for.
func TestRealMessages(t *testing.T) {
	t.Parallel()
	texts := banking77(t)
	kills := 2
	if !*full {
		texts, kills = some(texts, 600), 1
	}
	play(t, open(t), texts, kills)
}

// The same with the tagger in Python.
func TestPythonTagger(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		leatproc.Missing(t, "python3", err)
	}
	texts := some(banking77(t), 600)
	play(t, open(t, python, filepath.Join(leatproc.Root(t), "examples", "support", "python", "tagger.py")), texts, 1)
}

// play is one run: the runner is killed while it works on a fifth of the messages,
// a model server during the next, the runner again during the third if there are to
// be two kills; the rest goes through undisturbed.
func play(t *testing.T, d *desk, texts []string, kills int) {
	messages := make([]audit.Sent, len(texts))
	for i, text := range texts {
		messages[i] = real(i, text)
	}
	messages = mixed(messages, 600)
	if len(messages) != len(texts)+len(hostile()) {
		t.Fatalf("%d messages of %d texts and %d others", len(messages), len(texts), len(hostile()))
	}
	part := len(messages) / 5
	take := func(n int) []audit.Sent {
		n = min(n, len(messages))
		taken := messages[:n]
		messages = messages[n:]
		return taken
	}
	// rows waits until so many rows have come, so that all steps are at work.
	rows := func(n int) {
		t.Helper()
		leatproc.Until(t, patience, "rows come out", func() error { return leatproc.Atleast(d.count("support.desk"), n) })
	}

	d.run()
	d.produce(take(part / 2))
	d.produceTooLarge()
	rows(part / 4)
	d.produce(d.killInFlight(take(part))) // the rest when nobody reads it
	d.run()
	rows(part)

	d.mood.Kill()
	moods := d.count("support.mood")
	d.produce(take(part))
	d.untilPaused("mood", true)
	tags := d.count("support.tags")
	d.produce(take(20))
	leatproc.Until(t, patience, "the other steps go on", func() error { return leatproc.Atleast(d.count("support.tags"), tags+1) })
	t.Logf("without its model the step mood made %d results, and pauses", d.count("support.mood")-moods)
	d.mood.again(t)
	d.untilPaused("mood", false)

	if kills == 2 {
		rows(part * 7 / 4)
		d.produce(d.killInFlight(take(part)))
		d.run()
	}
	began, rest := time.Now(), len(messages)
	before := d.count("support.desk")
	d.produce(take(len(messages)))
	d.untilCommitted()
	t.Logf("the last %d messages, and %d that were behind, took %.1f s", rest, d.count("support.desk")-before-rest, time.Since(began).Seconds())
	d.stop()
	account(t, d)
}

// account holds what is in the topics against what was sent.
func account(t *testing.T, d *desk) {
	rep := audit.Audit(d.evidence())
	for i, f := range rep.Faults {
		if i == 20 {
			t.Errorf("and %d more", len(rep.Faults)-i)
			break
		}
		t.Error(f)
	}
	t.Logf("%d messages (and %d refused as too large): %d rows, %d whole, %d lack a part with a dead letter, %d withheld with one, %d amended",
		rep.Messages, d.refused, rep.Rows, rep.Whole, rep.Lacking, rep.Withheld, rep.Amended)
	t.Logf("dead letters by step: %v; repeats after %d kills: %v", rep.Letters, len(d.kills), rep.Repeats)
	if rep.Messages != rep.Rows+rep.Withheld || rep.Rows != rep.Whole+rep.Lacking {
		t.Errorf("the account does not add up: %+v", rep)
	}
	if d.refused == 0 || rep.Letters["class"] == 0 || rep.Withheld == 0 {
		t.Errorf("the input was not what it is meant to be: %+v", rep)
	}
	repeats := 0
	for _, n := range rep.Repeats {
		repeats += n
	}
	if repeats == 0 {
		t.Error("nothing came twice: the kills met no work in flight")
	}
}
