package plog

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/internal/vfs"
)

// Who has gathered something, and has to wait before it comes to flush it, does not wait
// for itself: for the change, for another one, or for a checkpoint, as the first
// transaction in a directory does.
func TestWaitForWhatWasGathered(t *testing.T) {
	for name, wait := range map[string]func(s *Store, l *Log, pos Pos) error{
		"the change":   func(s *Store, l *Log, pos Pos) error { return s.Wait(context.Background(), pos) },
		"a checkpoint": func(s *Store, l *Log, pos Pos) error { return s.EnableTransactions() },
		"another change": func(s *Store, l *Log, _ Pos) error {
			_, pos, err := s.Gather(Append(l, batchOf(1, "b")))
			if err != nil {
				return err
			}
			return s.Wait(context.Background(), pos)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := openStore(t, vfs.NewMem(), 1)
				defer s.Abandon()
				l := createLog(t, s, 0)
				synctest.Wait() // the flusher sleeps
				began := time.Now()
				_, pos, err := s.Gather(Append(l, batchOf(1, "a")))
				if err == nil {
					err = wait(s, l, pos)
				}
				if err != nil {
					t.Fatal(err)
				}
				if d := time.Since(began); d != 0 || l.HighWatermark() == 0 {
					t.Errorf("waited %v, high watermark %d", d, l.HighWatermark())
				}
				s.Flush()
			})
		})
	}
}
