package connect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/test/jvm"
	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// Every line of the one file comes to stand in the other, as often as it was written:
// while the broker is killed under the worker, and while the worker is stopped and goes
// on where it was.
func TestFileToFile(t *testing.T) {
	const part = 3000
	s := leatproc.Serve(t)
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	written := 0
	write := func() {
		t.Helper()
		f, err := os.OpenFile(from, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for range part {
			if _, err := fmt.Fprintf(f, "line %d\n", written); err != nil {
				t.Fatal(err)
			}
			written++
		}
	}
	arrived := func() []string {
		text, err := os.ReadFile(to)
		if err != nil {
			return nil
		}
		return strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	wait := func(n int) {
		t.Helper()
		leatproc.Until(t, 2*time.Minute, "the lines in the sink's file", func() error { return leatproc.Atleast(len(arrived()), n) })
	}

	write()
	w := NewWorker(t, s.Addr, map[string]string{"producer.enable.idempotence": "true"})
	w.Connect(t, "source", map[string]string{
		"connector.class": "FileStreamSource", "tasks.max": "1", "file": from, "topic": "lines", "batch.size": "100",
	})
	w.Connect(t, "sink", map[string]string{"connector.class": "FileStreamSink", "tasks.max": "1", "file": to, "topics": "lines"})
	wait(part)
	write()
	wait(part + 1) // it is at work
	s.Kill()
	write()
	s.Start(t)
	wait(written)
	w.Stop(t)
	write()
	w.Start(t)
	wait(written)
	w.Stop(t)

	times := map[string]int{}
	for _, l := range arrived() {
		times[strings.TrimSpace(l)]++
	}
	lost, again := 0, len(times)
	for i := range written {
		switch times[fmt.Sprint("line ", i)] {
		case 0:
			lost++
		case 1:
			again--
		}
	}
	if lost > 0 || again > 0 || len(times) != written {
		t.Errorf("of %d lines %d are not in the sink's file, and %d there more than once or never written", written, lost, again)
	}
	if n := len(jvm.Look(t, s.Addr).Read("lines")); n != written {
		t.Errorf("the topic has %d records of %d lines", n, written)
	}
}
