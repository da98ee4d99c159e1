package plog

import (
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// What the transaction indexes have is compared with a walk over the batches, entry by
// entry; compaction may have taken the first batches of a transaction, and only those.
func TestCheckOfTransactionIndexes(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t, vfs.NewMem(), 1)
	defer s.Abandon()
	l := createLog(t, s, 0)
	if err := s.EnableTransactions(); err != nil {
		t.Fatal(err)
	}
	walk := newTxnWalk()
	for i := range int64(20) {
		data, end := transactional(i%3, int16(i), 0, "v"), Mark(l, marker(i%3, int16(i), i%4 == 0), 1)
		mustSubmit(t, s, Begins(Append(l, data)))
		mustSubmit(t, s, end)
		for _, op := range []Op{{batch: data}, end} {
			if err := walk.batch(op.batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	l.mu.RLock()
	st := l.snapshot()
	l.mu.RUnlock()
	if out := walk.wrong(l, &st); len(walk.aborted) != 15 || len(out) != 0 {
		t.Fatalf("%d aborted; %q", len(walk.aborted), out)
	}
	good := walk.aborted[7]
	for what, c := range map[string]struct {
		change func(*AbortedTxn)
		wrong  int
	}{
		"another marker":   {func(a *AbortedTxn) { a.Last++ }, 2},
		"another producer": {func(a *AbortedTxn) { a.ProducerID++ }, 2},
		"began before":     {func(a *AbortedTxn) { a.First-- }, 2},
		"began after":      {func(a *AbortedTxn) { a.First++ }, 1}, // only where nothing was rewritten
	} {
		walk.aborted[7] = good
		c.change(&walk.aborted[7])
		out := walk.wrong(l, &st)
		if len(out) != c.wrong || c.wrong == 2 && !strings.Contains(out[0], "is not in the transaction index") {
			t.Errorf("%s: %q", what, out)
		}
	}
}
