package plog

import (
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// Batches that are not large go straight to their segments while few logs do, so that
// a flush has few files to sync; the others go through the write-ahead log, and so
// does the next one of a log whose flush is through.
func TestMiddlingBatchesGoDirectInFewLogs(t *testing.T) {
	t.Parallel()
	opt := testOptions(vfs.NewMem(), 1)
	faulty := vfs.NewFaulty(opt.FS)
	opt.FS, opt.DirectFewBytes = faulty, 4<<10
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var logs []*Log
	for i := range fewLogs + 2 {
		logs = append(logs, createLog(t, s, i))
	}
	gate := faulty.Gate(vfs.OpSync, "*")
	value := strings.Repeat("x", 5<<10)
	count := func() (n int) {
		for _, l := range logs {
			for _, b := range l.tail {
				if b.ref() {
					n++
				}
			}
		}
		return n
	}
	var last Pos
	for range 2 {
		for _, l := range logs {
			_, pos, err := s.Submit(Append(l, batchOf(1, value)))
			if err != nil {
				t.Fatal(err)
			}
			last = pos
		}
	}
	if got := count(); got != 2*fewLogs {
		t.Errorf("%d batches went straight to their segments, want two of each of %d logs", got, fewLogs)
	}
	gate.Open()
	if err := s.Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, Append(logs[fewLogs+1], batchOf(1, value)))
	if got := count(); got != 2*fewLogs+1 {
		t.Errorf("after the flush: %d", got)
	}
	mustSubmit(t, s, Append(logs[0], batchOf(1, strings.Repeat("x", 3<<10))))
	if got := count(); got != 2*fewLogs+1 {
		t.Error("a small batch went straight to its segment")
	}
}
