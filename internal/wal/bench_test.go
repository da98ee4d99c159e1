package wal

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// BenchmarkBareGroupCommit is the limit that the log is measured against: 64
// writers of 1 KiB, each waiting until it is on disk; one goroutine writes what
// has gathered and syncs once. Nothing else: no batches, no checksums.
//
// The file grows, or is only allocated, or was filled before and is written
// again and again; groups are padded to 4 KiB or follow each other closely.
func BenchmarkBareGroupCommit(b *testing.B) {
	for _, kind := range []string{"growing", "allocated", "filled"} {
		for _, padded := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/padded=%v", kind, padded), func(b *testing.B) {
				bareGroupCommit(b, kind, padded)
			})
		}
	}
}

func bareGroupCommit(b *testing.B, kind string, padded bool) {
	const size, writers, record = 64 << 20, 64, 1024
	name := filepath.Join(b.TempDir(), "file")
	f, err := vfs.OS{}.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(name)
	defer f.Close()
	if kind != "growing" {
		err = f.Allocate(size)
	}
	if kind == "filled" && err == nil {
		_, err = f.WriteAt(make([]byte, size), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		b.Fatal(err)
	}
	var (
		mu   sync.Mutex
		work = sync.NewCond(&mu)
		buf  []byte
		wait []chan error
		done bool
	)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		var off int64
		var spare []byte
		for {
			mu.Lock()
			for len(buf) == 0 && !done {
				work.Wait()
			}
			if len(buf) == 0 {
				mu.Unlock()
				return
			}
			out, told := buf, wait
			buf, wait = spare[:0], nil
			mu.Unlock()
			if padded {
				out = out[:align(len(out), blockSize)]
			}
			if kind != "growing" && off+int64(len(out)) > size {
				off = 0
			}
			_, err := f.WriteAt(out, off)
			if err == nil {
				err = f.Sync()
			}
			off += int64(len(out))
			for _, ch := range told {
				ch <- err
			}
			spare = out
		}
	}()
	b.SetBytes(record)
	b.ResetTimer()
	var n atomic.Int64
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			data := make([]byte, record)
			told := make(chan error, 1)
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				binary.BigEndian.PutUint64(data, uint64(i))
				mu.Lock()
				if cap(buf) == 0 {
					buf = make([]byte, 0, 2*writers*record)
				}
				buf = append(buf, data...)
				wait = append(wait, told)
				mu.Unlock()
				work.Signal()
				if err := <-told; err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	mu.Lock()
	done = true
	mu.Unlock()
	work.Signal()
	<-ended
}
