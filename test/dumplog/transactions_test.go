package dumplog

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

// Kafka's tool reads markers, transaction indexes, and the records of
// __transaction_state and __consumer_offsets as its own.
func TestKafkaReadsTransactions(t *testing.T) {
	jars := libs(t)
	dir := t.TempDir() + "/data"
	s, err := leat.Open(t.Context(), leat.Config{DataDir: dir, Configs: map[string]string{"transaction.state.log.num.partitions": "1", "offsets.topic.num.partitions": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	cl, err := s.Client(kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("dumped"), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(t.Context(), kgo.StringRecord("v")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	var offsets kadm.Offsets
	offsets.AddOffset("dumped", 0, 3, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "readers", offsets); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	files := func(topic, pattern string) string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, "logs", topic+".*", "0", pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s of %s: %v, %v", pattern, topic, names, err)
		}
		return strings.Join(names, ",")
	}
	out := dump(t, jars, "--deep-iteration", "--files", files("dumped", "*.log"))
	if c := complaint(out); c != "" {
		t.Errorf("the tool complains: %s", c)
	}
	if commits, aborts := strings.Count(out, "endTxnMarker: COMMIT"), strings.Count(out, "endTxnMarker: ABORT"); commits != 2 || aborts != 2 || !strings.Contains(out, "coordinatorEpoch: 1") {
		t.Errorf("%d commits and %d aborts:\n%s", commits, aborts, out)
	}
	out = dump(t, jars, "--files", files("dumped", "*.txnindex"))
	var aborted []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); strings.Contains(line, "firstOffset") {
			aborted = append(aborted, fmt.Sprint(slices.DeleteFunc(f, func(s string) bool { return !strings.HasPrefix(s, "0") && strings.Trim(s, "0123456789") != "" })))
		}
	}
	if want := []string{"[0 2 3 4]", "[0 4 5 6]"}; len(aborted) != 2 || !endsWith(aborted, want) {
		t.Errorf("%v, want version, (producer,) first, last and stable offset %v\n%s", aborted, want, out)
	}
	out = dump(t, jars, "--transaction-log-decoder", "--files", files("__transaction_state", "*.log"))
	if c := complaint(out); c != "" || strings.Count(out, `"transactionalId":"tx"`) < 8 || strings.Contains(out, "Failed to decode") {
		t.Errorf("%s\n%s", c, out)
	}
	out = dump(t, jars, "--offsets-decoder", "--files", files("__consumer_offsets", "*.log"))
	if c := complaint(out); c != "" || !strings.Contains(out, `"group":"readers"`) {
		t.Errorf("%s\n%s", c, out)
	}
}

// endsWith compares the last three numbers of each line: the producer id is drawn.
func endsWith(lines, want []string) bool {
	for i, l := range lines {
		n, w := strings.Fields(strings.Trim(l, "[]")), strings.Fields(strings.Trim(want[i], "[]"))
		if len(n) < 4 || !slices.Equal(n[len(n)-3:], w[1:]) {
			return false
		}
	}
	return true
}
