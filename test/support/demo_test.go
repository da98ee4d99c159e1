package support

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/test/leatproc"
)

// The demo as a program of its own: it ends well, and only if all went well.
func TestDemo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plant func(t *testing.T, demo *leatproc.Process, addr string) // when it has begun
		fails string                                                  // what it must end with; empty when it must end well
	}{
		"as it is": {func(*testing.T, *leatproc.Process, string) {}, ""},
		"a model is killed for good": {func(t *testing.T, demo *leatproc.Process, _ string) {
			if err := syscall.Kill(child(t, demo.Pid(), "class"), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}, "killed"},
		"a row comes out twice": {func(t *testing.T, _ *leatproc.Process, addr string) { rowAgain(t, addr, "") },
			"487 messages went in, 488 rows of 487 messages came out"},
		"a row of nobody comes out": {func(t *testing.T, _ *leatproc.Process, addr string) { rowAgain(t, addr, "somebody") },
			"487 messages went in, 488 rows of 488 messages came out"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			demo := leatproc.Run(t, leatproc.Root(t), leatproc.Build(t, "./cmd/leat"),
				"demo", "--once", "--rate", "200", "--outage", "500ms", "--listen", "127.0.0.1:0")
			late := time.AfterFunc(patience, demo.Kill)
			defer late.Stop()
			addr, said := "", []string{}
			for line := range demo.Stdout {
				said = append(said, line)
				if after, ok := strings.CutPrefix(line, "Kafka at "); ok {
					addr, _, _ = strings.Cut(after, ",")
					c.plant(t, demo, addr)
				}
			}
			err := demo.Wait(patience)
			switch {
			case addr == "":
				t.Fatalf("the demo did not begin: %v\n%s", err, demo.Tail())
			case c.fails == "" && err != nil:
				t.Errorf("%v\n%s", err, strings.Join(said, "\n"))
			case c.fails != "" && (err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(demo.Tail(), c.fails)):
				t.Errorf("it ended with %v, must fail and say %q\n%s", err, c.fails, strings.Join(said[max(0, len(said)-20):], "\n"))
			}
		})
	}
}

// child is the process of one of the demo's models.
func child(t *testing.T, parent int, model string) int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		leatproc.Missing(t, "/proc, to find the demo's children in", err)
	}
	for _, path := range lines {
		cmdline, err1 := os.ReadFile(path)
		stat, err2 := os.ReadFile(filepath.Join(filepath.Dir(path), "stat"))
		if err1 != nil || err2 != nil {
			continue // it has ended
		}
		// The parent is the second field after the name, which is in brackets.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		args := strings.Split(string(cmdline), "\x00")
		if string(fields[1]) == strconv.Itoa(parent) && len(args) > 2 && args[2] == model {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("the demo has no child for the model %s", model)
	return 0
}

// rowAgain writes the first row a second time, with another event id if there is
// one.
func rowAgain(t *testing.T, addr, id string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics("support.desk"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	fs := cl.PollRecords(t.Context(), 1)
	if err := fs.Err(); err != nil {
		t.Fatal(err)
	}
	row := fs.Records()[0]
	r := &kgo.Record{Topic: row.Topic, Partition: row.Partition, Key: row.Key, Value: row.Value, Timestamp: row.Timestamp, Headers: row.Headers}
	if id != "" {
		r.Headers = event.SetHeader(r.Headers, event.HeaderEventID, id)
	}
	if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(fmt.Errorf("the planted row: %w", err))
	}
}
