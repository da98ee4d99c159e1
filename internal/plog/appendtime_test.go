package plog

import (
	"testing"
	"time"

	"github.com/leatdev/leat/internal/vfs"
)

// LogAppendTime never goes backwards, whatever the clock does, also over a clean
// stop and over a crash.
func TestLogAppendTimeNeverGoesBackwards(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	clock := int64(10_000)
	cfg := DefaultConfig()
	cfg.LogAppendTime = true
	var s *Store
	var l *Log
	open := func(epoch int32) {
		opt := testOptions(mem, epoch)
		opt.Now = func() time.Time { return time.UnixMilli(clock) }
		var err error
		if s, _, err = Open(opt); err != nil {
			t.Fatal(err)
		}
		if l = s.Log(testID(0)); l == nil {
			l = mustSubmit(t, s, Create(testID(0), "t", cfg))[0].Log
		}
		l.SetConfig(cfg)
	}
	add := func(want int64) {
		t.Helper()
		r := mustSubmit(t, s, Append(l, batchOf(1, "v")))[0]
		st, err := l.Newest()
		if err != nil || r.AppendTime != want || st.Timestamp != want {
			t.Errorf("clock %d: append time %d, newest %+v, %v; want %d", clock, r.AppendTime, st, err, want)
		}
	}
	open(1)
	add(10_000)
	clock = 9_000
	add(10_000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(2)
	add(10_000)
	clock = 11_000
	add(11_000)
	s.Abandon()
	mem = mem.Crash(vfs.KeepNone, 0)
	clock = 5_000
	open(3)
	add(11_000)
	clock = 12_000
	add(12_000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
