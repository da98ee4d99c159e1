package plog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/vfs"
)

// A compaction that finds nothing to drop removes its copy for good: after a
// clean stop nobody looks for files that no log refers to, and a loss of power
// may bring back a name whose removal was not synced.
func TestDiscardedCopyStaysAway(t *testing.T) {
	mem := vfs.NewMem()
	k := newKeyed(t, mem, compactConfig())
	for i := range 30 {
		k.put(fmt.Sprintf("key%d=value", i))
	}
	k.fill()
	if c := k.compact(); c.Passes == 0 || c.Dropped != 0 {
		t.Fatalf("%+v", c)
	}
	if err := k.s.Close(); err != nil {
		t.Fatal(err)
	}
	for disk := range disks(mem, 3, false) {
		c := *k
		c.reopen(disk, compactConfig())
		c.checkNames()
		c.check()
		c.s.Abandon()
	}
}

// A large batch that was written to a segment of its own and then refused, with
// the unit it was part of, leaves no file behind.
func TestRefusedBatchLeavesNoSegment(t *testing.T) {
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	l := createLog(t, s, 0)
	mustSubmit(t, s, Append(l, sequenced(1, 0, 0, "first")))
	cfg := l.Config()
	cfg.SegmentBytes = 1000 // the large one needs a segment of its own
	l.SetConfig(cfg)
	large := batchOf(1, strings.Repeat("v", 40<<10))
	if _, _, err := s.Submit(Append(l, large), Append(l, sequenced(1, 0, 5, "out of order"))); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for disk := range disks(mem, 3, false) {
		again, _ := openStore(t, disk, 2)
		names, err := disk.List(l.dir())
		if err != nil || slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "00000000000000000001") }) {
			t.Errorf("files: %q, %v", names, err)
		}
		again.Abandon()
	}
}
