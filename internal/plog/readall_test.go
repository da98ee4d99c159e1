package plog

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// Whoever rebuilds state from a log has all of it or an error: less than the log should
// hold is not taken for all.
func TestReadAllOrAnError(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t, vfs.NewMem(), 1)
	defer s.Abandon()
	l := createLog(t, s, 0)
	mustSubmit(t, s, Append(l, batchOf(1, "a", "b")))
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	count := func() (n int, err error) {
		err = l.ReadAll(func(b kafka.Batch) error {
			n += int(b.NumRecords())
			return nil
		})
		return n, err
	}
	l.next += 3
	if n, err := count(); n != 2 || !errors.Is(err, kerr.KafkaStorageError) || !strings.Contains(err.Error(), "ends at offset 5") || !strings.Contains(err.Error(), "from 2 on") {
		t.Errorf("with less than the log should hold: %d records, %v", n, err)
	}
	seg := l.segs[len(l.segs)-1]
	seg.next += 3
	if n, err := count(); n != 2 || err == nil {
		t.Errorf("with less than the segment should have: %d records, %v", n, err)
	}
	seg.gen++ // compaction may have taken the last ones
	if err := l.endsAt(2, 5); err != nil {
		t.Errorf("of a rewritten segment: %v", err)
	}
	seg.gen--
}
