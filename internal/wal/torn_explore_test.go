package wal

import (
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// A file is used again and the new group has its frames where an older one had
// them. Power goes when all but the last sector has come: what stands there is a
// whole frame, of the older group. It must not pass for the new one's, or half a
// unit would come back, with a frame of long ago as its other half.
func TestOldFramesDoNotPassForNewOnes(t *testing.T) {
	const sector = 512
	size := 2000
	for (groupHeaderSize+batchFrame(1, 0, strings.Repeat("v", size)).encodedSize())%sector != 0 {
		size++
	}
	write := func(next Pos, first int64, what string) []byte {
		mem := vfs.NewMem()
		w := openWAL(t, mem, func(o *Options) { o.Next = next })
		put(t, w, batchFrame(1, first, strings.Repeat(what, size)), batchFrame(2, first, what))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := vfs.ReadFile(mem, testDir+"/00000001.wal")
		if err != nil {
			t.Fatal(err)
		}
		return data[:blockSize]
	}
	older, newer := write(3, 0, "o"), write(9, 1, "n")
	if whole := mustScan(t, onDisk(t, newer), 8); len(whole.Groups) != 1 || len(whole.Groups[0].Frames) != 2 {
		t.Fatal(story(whole))
	}
	seam := groupHeaderSize + batchFrame(1, 1, strings.Repeat("n", size)).encodedSize()
	res := mustScan(t, onDisk(t, slices.Concat(newer[:seam], older[seam:])), 8)
	if len(res.Groups) != 0 || res.Torn == 0 || len(res.Damaged) != 0 {
		t.Errorf("%d groups, %d bytes torn, damaged %v: %.300s", len(res.Groups), res.Torn, res.Damaged, story(res))
	}
	if res.Last != 9 {
		t.Errorf("the next group would be %d", res.Last+1)
	}
}
