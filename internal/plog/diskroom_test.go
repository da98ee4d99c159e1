package plog

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/vfs"
)

// What is admitted leaves the reserve alone: also when a checkpoint or a
// recovery has copied all of it into segments, and with the files that the
// write-ahead log makes meanwhile.
func TestDataLeavesTheReserveAlone(t *testing.T) {
	t.Parallel()
	for _, direct := range []int{32 << 10, 4 << 10} { // through the write-ahead log, and beside it
		const reserve = 8 << 20
		fs := vfs.NewMem()
		fs.SetSpace(24 << 20)
		opt := testOptions(fs, 1)
		opt.DiskReserve, opt.DirectBytes = reserve, direct
		s, _, err := Open(opt)
		if err != nil {
			t.Fatal(err)
		}
		l := createLog(t, s, 0)
		v := strings.Repeat("x", 20<<10)
		for n := 0; ; n++ {
			release, err := s.Admit(t.Context(), 21<<10)
			if errors.Is(err, kerr.KafkaStorageError) {
				break
			}
			if err != nil || n > 1000 {
				t.Fatalf("the disk never filled: %v", err)
			}
			mustSubmit(t, s, Append(l, batchOf(int64(n), v)))
			release()
		}
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if free, _ := fs.Free("/data"); free < reserve {
			t.Errorf("%d bytes are free, less than the reserve of %d", free, reserve)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
