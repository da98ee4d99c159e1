package plog

import (
	"fmt"
	"testing"

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
