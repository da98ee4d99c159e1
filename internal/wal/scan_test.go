package wal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// Files are used again for many rounds and over restarts: numbers only grow, no
// group of an earlier round is ever taken for a new one, and there are never
// more files than allowed.
func TestFilesAreRecycledForManyRounds(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	mem := vfs.NewMem()
	next, cut := Pos(1), Pos(0)
	offset := int64(0)
	want := map[Pos]string{} // durable groups above the cut
	for life := range 12 {
		w := openWAL(t, mem, func(o *Options) { o.Next = next })
		for range 40 + rng.IntN(60) {
			if w.Live() > 2*testFile || rng.IntN(30) == 0 {
				cut = w.Durable()
				w.Free(cut)
				for p := range want {
					if p <= cut {
						delete(want, p)
					}
				}
			}
			f := batchFrame(1, offset, strings.Repeat("v", rng.IntN(5000)))
			what := describe(f)
			if err := made(w); err != nil {
				t.Fatalf("life %d: %v", life, err)
			}
			p := put(t, w, f)
			want[p] = fmt.Sprintf("%d:%s", p, what)
			offset++
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if names, _ := mem.List(testDir); len(names) > 4 {
			t.Fatalf("files: %v", names)
		}
		mem = mem.Crash(vfs.KeepNone, uint64(life))
		res := mustScan(t, mem, cut)
		var order []Pos
		for p := range want {
			order = append(order, p)
		}
		slices.Sort(order)
		var lines []string
		for _, p := range order {
			lines = append(lines, want[p])
		}
		if got := story(res); got != strings.Join(lines, " ") || res.Torn != 0 || len(res.Damaged) != 0 {
			t.Fatalf("life %d: torn %d, damaged %v\n got %.300s\nwant %.300s", life, res.Torn, res.Damaged, got, strings.Join(lines, " "))
		}
		next = res.Last + 1
		if len(order) > 0 && next != order[len(order)-1]+1 {
			t.Fatalf("life %d: the next group is %d, the last was %d", life, next, order[len(order)-1])
		}
		cut = res.Last // as after a recovery
		clear(want)
	}
}

// made waits until the file that is being made is there.
func made(w *WAL) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.files.preparing {
		w.room.Wait()
	}
	return w.full
}

// aLog is the bytes of a small log with every kind of frame: six groups in one
// file, the durable mark at the fifth.
func aLog(t testing.TB) (mem *vfs.Mem, data []byte, want string) {
	mem = vfs.NewMem()
	w := openWAL(t, mem)
	put(t, w, createFrame(1, "topic"), createFrame(2, "topic"))
	put(t, w, batchFrame(1, 0, "first"))
	put(t, w, batchFrame(2, 0, strings.Repeat("long_", 900)), batchFrame(1, 1, "second")) // two blocks
	put(t, w, &Frame{Kind: KindStart, Topic: testTopic(1), Partition: 1, Offset: 1})
	put(t, w, &Frame{Kind: KindRef, Topic: testTopic(2), Partition: 2, Epoch: 3, Offset: 1, SegPos: 5000, RefLen: 200000, CRC: 7})
	put(t, w, &Frame{Kind: KindDelete, Topic: testTopic(2), Partition: 2})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := vfs.ReadFile(mem, testDir+"/00000001.wal")
	if err != nil {
		t.Fatal(err)
	}
	return mem, data[:8*blockSize], story(mustScan(t, mem, 0))
}

// onDisk is a directory with one file of these bytes.
func onDisk(t testing.TB, data []byte) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll(testDir); err != nil {
		t.Fatal(err)
	}
	f, err := mem.Create(testDir + "/00000001.wal")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	return mem
}

// verdict says what became of a log that was changed, and fails when a frame
// came out that never went in.
func verdict(t *testing.T, what string, res *scanned, whole string) string {
	t.Helper()
	frames := strings.Fields(whole)
	at := 0
	for _, f := range strings.Fields(story(res)) {
		i := slices.Index(frames[at:], f)
		if i < 0 {
			t.Fatalf("%s: came out: %.100s", what, f)
		}
		at += i + 1
	}
	switch got := story(res); {
	case len(res.Damaged) > 0:
		return "damage"
	case got == whole:
		return "harmless"
	case strings.HasPrefix(whole, got):
		return "cut"
	default:
		t.Fatalf("%s: frames are missing in the middle and nobody says so: %s", what, got)
		return ""
	}
}

// A flipped bit in every byte of a log: it is harmless (padding), or it is in the
// newest group and that is cut, or it is reported. Never a wrong frame.
func TestEveryFlip(t *testing.T) {
	t.Parallel()
	_, data, whole := aLog(t)
	if n := len(strings.Fields(whole)); n != 8 {
		t.Fatalf("%d frames: %s", n, whole)
	}
	seen := map[string]int{}
	lastGroup := 6 * blockSize // the groups take 1, 1, 2, 1, 1, 1 blocks
	flipped := bytes.Clone(data)
	for at := range data {
		bit := 8*at + at%8 // the CRC sees every bit alike
		flipped[bit/8] ^= 1 << (bit % 8)
		res := scanBytes(t, flipped)
		flipped[bit/8] ^= 1 << (bit % 8)
		v := verdict(t, fmt.Sprint("bit ", bit), res, whole)
		seen[v]++
		if inLast := bit/8 >= lastGroup; v == "damage" && inLast || v == "cut" && !inLast {
			t.Fatalf("bit %d: %s", bit, v)
		}
	}
	for _, v := range []string{"harmless", "cut", "damage"} {
		if seen[v] == 0 {
			t.Errorf("never %s", v)
		}
	}
	t.Log(seen)
}

// scanBytes is Scan over one file of these bytes.
func scanBytes(t testing.TB, data []byte) *scanned {
	t.Helper()
	return mustScan(t, onDisk(t, data), 0)
}

// A group that never came, at each place, and a log that ends at each block.
func TestMissingGroupsAndEnds(t *testing.T) {
	t.Parallel()
	_, data, whole := aLog(t)
	for block := range 7 {
		for _, c := range []struct {
			what   string
			change func([]byte)
		}{
			{"is zeros", func(b []byte) { clear(b[block*blockSize : (block+1)*blockSize]) }},
			{"is the last", func(b []byte) { clear(b[block*blockSize:]) }},
		} {
			b := bytes.Clone(data)
			c.change(b)
			res := mustScan(t, onDisk(t, b), 0)
			got := story(res)
			if !strings.HasPrefix(whole, got) && len(res.Damaged) == 0 {
				t.Errorf("block %d %s: %s", block, c.what, got)
			}
			// What a later group calls durable and is not there is damage; the rest
			// of a log that ends early knows of nothing.
			if damage := len(res.Damaged) > 0; damage != (c.what == "is zeros" && block < 6) && !(c.what == "is the last" && block == 3) {
				t.Errorf("block %d %s: damage %v, %s", block, c.what, res.Damaged, got)
			}
		}
	}
}

// What lies beyond the groups at and below a cut does not matter at all.
func TestGroupsBelowTheCutAreNotLookedAt(t *testing.T) {
	t.Parallel()
	_, data, _ := aLog(t)
	clear(data[:2*blockSize])
	data[2*blockSize+200] ^= 1
	res := mustScan(t, onDisk(t, data), 3)
	if got := story(res); got != "4:5(1,1,) 5:2(2,1,) 6:4(2,0,)" || len(res.Damaged) != 0 {
		t.Errorf("%s, %v", got, res.Damaged)
	}
}

// Another directory's groups are not ours, however they came here.
func TestAnotherDirectorysGroups(t *testing.T) {
	t.Parallel()
	mem, _, _ := aLog(t)
	res, err := Scan(mem, testDir, testSalt+1, 0)
	if err != nil || res.Len() != 0 || res.Last != 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

// A record may hold a piece of a log, at a place where a group could begin.
// While its own group is whole nobody looks inside; when it is torn or damaged
// the copies are met and are no news.
func TestRecordsThatHoldGroups(t *testing.T) {
	t.Parallel()
	_, data, _ := aLog(t)
	mem := vfs.NewMem()
	w := openWAL(t, mem, func(o *Options) { o.FileSize = 1 << 20 })
	for i := range 6 {
		put(t, w, batchFrame(1, int64(i), "a"))
	}
	// The record's value begins 64+64+61+a few bytes behind the group's start.
	head := 64 + 64 + 61
	for shift := range 16 {
		pad := blockSize - head - shift
		value := append(bytes.Repeat([]byte{'p'}, pad), data...)
		put(t, w, batchFrame(1, int64(6+2*shift), string(value)))
		put(t, w, batchFrame(1, int64(7+2*shift), "behind"))
		if w.Live() > 900<<10 {
			break
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := mustScan(t, mem, 0)
	if len(whole.Damaged) != 0 || whole.Torn != 0 {
		t.Fatalf("%v", whole.Damaged)
	}
	for i, g := range whole.Groups {
		if g.Seq != Pos(i+1) || g.Frames[0].Offset != int64(i) {
			t.Fatalf("group %d is %d with offset %d", i, g.Seq, g.Frames[0].Offset)
		}
	}
	// The outer group is damaged: reported, the others stay what they were.
	file, err := vfs.ReadFile(mem, testDir+"/00000001.wal")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(file, []byte("ppppp"))
	copies := 0
	for off := at - at%blockSize + blockSize; off < len(file); off += blockSize {
		if h, err := parseGroupHeader(file[off:], testSalt); err == nil && h.seq <= 6 {
			copies++
		}
	}
	if copies == 0 {
		t.Fatal("no copy begins where a group could")
	}
	file[at] ^= 1
	res := mustScan(t, onDisk(t, file), 0)
	if len(res.Damaged) != 1 || res.Damaged[0].Seq != 7 {
		t.Errorf("damaged: %v", res.Damaged)
	}
	for i, g := range res.Groups {
		if g.Seq != Pos(i+1) || len(g.Frames) > 0 && (g.Frames[0].Kind != KindBatch || g.Frames[0].Offset != int64(i)) {
			t.Errorf("group %d is %d: %s", i, g.Seq, describe(&g.Frames[0]))
		}
	}
}

// Of a group and a torn copy of it the whole one counts, wherever it stands.
func TestATornCopyDoesNotHideTheGroup(t *testing.T) {
	t.Parallel()
	_, data, whole := aLog(t)
	torn := bytes.Clone(data)
	torn[200] ^= 1              // group 1
	torn[2*blockSize+5000] ^= 1 // group 3
	for _, parts := range [][][]byte{{torn, data}, {data, torn}} {
		if got := story(scanBytes(t, slices.Concat(parts...))); got != whole {
			t.Errorf("%s", got)
		}
	}
}
