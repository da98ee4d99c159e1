package plog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

var update = flag.Bool("update", false, "write the golden files anew: only for a new format version")

// Two data directories of format 1 as text: one after a clean stop, one of a
// process that was killed with its changes in the write-ahead log only.
const (
	goldenClean  = "testdata/format1-clean.txt"
	goldenKilled = "testdata/format1-killed.txt"
)

// dumpTree is a directory as text: "path size", and 32 bytes a line behind
// their offset, lines of zeros left out.
func dumpTree(t testing.TB, fs vfs.FS, dir string) string {
	t.Helper()
	var b strings.Builder
	var walk func(string)
	walk = func(dir string) {
		names, err := fs.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			name := path.Join(dir, n)
			info, err := fs.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if info.IsDir() {
				walk(name)
				continue
			}
			data, err := vfs.ReadFile(fs, name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(n, ".wal") && len(bytes.Trim(data, "\x00")) == 0 {
				continue // whether the next file has been made yet is a matter of luck
			}
			fmt.Fprintf(&b, "%s %d\n", name, len(data))
			for off := 0; off < len(data); off += 32 {
				line := data[off:min(off+32, len(data))]
				if len(bytes.Trim(line, "\x00")) > 0 {
					fmt.Fprintf(&b, "  %06x %x\n", off, line)
				}
			}
		}
	}
	walk(dir)
	return b.String()
}

// plantTree is the way back.
func plantTree(t testing.TB, text string) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var f vfs.File
	for line := range strings.Lines(text) {
		at, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(line, " ") {
			size, err := strconv.ParseInt(rest, 10, 64)
			must(err)
			must(mem.MkdirAll(path.Dir(at)))
			f, err = mem.Create(at)
			must(err)
			must(f.Truncate(size))
			continue
		}
		off, err := strconv.ParseInt(at, 16, 64)
		must(err)
		p, err := hex.DecodeString(rest)
		must(err)
		_, err = f.WriteAt(p, off)
		must(err)
	}
	return mem
}

// goldenStore makes the data: every kind of frame, a sealed segment and one
// that grows, indexes, epochs, a producer, a start that has moved, a large batch.
func goldenStore(t testing.TB) (clean, killed *vfs.Mem) {
	mem := vfs.NewMem()
	open := func(epoch int32) *Store {
		opt := testOptions(mem, epoch)
		opt.WALFileSize, opt.WALFiles, opt.DirectBytes = 64<<10, 2, 2000
		opt.Now = func() time.Time { return time.UnixMilli(1_700_000_000_000) }
		s, _, err := Open(opt)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cfg := DefaultConfig()
	cfg.SegmentBytes, cfg.IndexInterval = 1500, 300
	s := open(1)
	rs := mustSubmit(t, s, Create(testID(0), "orders", cfg), Create(testID(1), "orders", cfg), Create(testID(2), "gone", cfg))
	a, b := rs[0].Log, rs[1].Log
	for i := range 12 {
		mustSubmit(t, s, Append(a, batchOf(1_700_000_000_000+int64(i), strings.Repeat("a", 10*i), "second")))
	}
	mustSubmit(t, s, Append(b, sequenced(77, 2, 0, "from a producer")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(2)
	a, b = s.Log(testID(0)), s.Log(testID(1))
	a.SetConfig(cfg)
	b.SetConfig(cfg)
	mustSubmit(t, s, Append(b, sequenced(77, 2, 1, "again")))
	clean = mem
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clean = clean.Kill()
	mem = mem.Kill()
	s = open(3)
	a, b = s.Log(testID(0)), s.Log(testID(1))
	mustSubmit(t, s, Append(a, batchOf(1_700_000_000_100, "in the write-ahead log")), Append(b, sequenced(77, 2, 2, "once more")))
	mustSubmit(t, s, SetStart(a, 2), Delete(s.Log(testID(2))))
	mustSubmit(t, s, Append(a, batchOf(1_700_000_000_101, strings.Repeat("L", 2100))))
	mustSubmit(t, s, Create(testID(3), "new", cfg))
	s.check.stop() // before it removes the deleted log's files
	killed = mem.Kill()
	s.Abandon()
	return clean, killed
}

func TestGoldenIsWritten(t *testing.T) {
	t.Parallel()
	clean, killed := goldenStore(t)
	for name, fs := range map[string]*vfs.Mem{goldenClean: clean, goldenKilled: killed} {
		got := dumpTree(t, fs, "/data")
		if *update {
			if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(name, []byte(got), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: the format has changed; that needs a new version and a way to read the old one:\n%s", name, got)
		}
	}
}

func TestGoldenIsRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		epoch  int32
		end    int64
		start  int64
		lastB  []string
		report func(*Report) bool
	}{
		{goldenClean, 3, 24, 0, []string{"0=from a producer", "1=again"}, func(r *Report) bool { return r.Clean }},
		{goldenKilled, 4, 26, 2, []string{"0=from a producer", "1=again", "2=once more"}, func(r *Report) bool { return !r.Clean && r.Batches == 3 }},
	} {
		text, err := os.ReadFile(c.name)
		if err != nil {
			t.Fatal(err)
		}
		mem := plantTree(t, string(text))
		opt := testOptions(mem, c.epoch)
		opt.WALFileSize = 64 << 10
		s, r, err := Open(opt)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !c.report(r) || len(r.Fenced) != 0 || r.TornBytes != 0 {
			t.Errorf("%s: %+v", c.name, r)
		}
		a, b := s.Log(testID(0)), s.Log(testID(1))
		if got := values(t, a, 500); a.Start() != c.start || a.End() != c.end || len(got) != int(c.end-c.start) || got[len(got)-1][:3] != fmt.Sprint(c.end-1)+"=" {
			t.Errorf("%s: %d to %d: %.200v", c.name, a.Start(), a.End(), got)
		}
		if got := values(t, b, 500); !slices.Equal(got, c.lastB) {
			t.Errorf("%s: %v", c.name, got)
		}
		if gone := s.Log(testID(2)) == nil; gone != (c.name == goldenKilled) {
			t.Errorf("%s: the third log is gone: %v", c.name, gone)
		}
		if e := a.EpochAt(23); e != 1 {
			t.Errorf("%s: epoch %d", c.name, e)
		}
		// What the producer sent last is known: a repeat is recognised.
		n := len(c.lastB)
		text3 := c.lastB[n-1][2:]
		if rs := mustSubmit(t, s, Append(b, sequenced(77, 2, int32(n-1), text3))); !rs[0].Duplicate || rs[0].Base != int64(n-1) {
			t.Errorf("%s: %+v", c.name, rs[0])
		}
		if st, err := a.FirstAt(1_700_000_000_005); err != nil || st.Offset != 9 { // the sixth batch's first, or the fifth's second
			t.Errorf("%s: %+v, %v", c.name, st, err)
		}
		s.Close()
	}
}

func FuzzCheckpoint(f *testing.F) {
	clean, _ := goldenStore(f)
	seed, err := vfs.ReadFile(clean, "/data/checkpoint")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed[:len(seed)-4])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		// The CRC is right: what is behind it is tried.
		b := append(bytes.Clone(body), make([]byte, 4)...)
		sum := kafka.CRC32C(body)
		b[len(body)], b[len(body)+1], b[len(body)+2], b[len(body)+3] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		head, logs, err := decodeCheckpoint(b)
		if err != nil {
			return
		}
		var sections [][]byte
		for _, st := range logs {
			sections = append(sections, st.encode(nil))
		}
		again, logs2, err := decodeCheckpoint(encodeCheckpoint(head, sections))
		if err != nil || again != head || len(logs2) != len(logs) {
			t.Fatalf("%+v came back as %+v, %v", head, again, err)
		}
	})
}

// A checkpoint of which any bit is wrong is refused.
func TestCheckpointFlips(t *testing.T) {
	t.Parallel()
	clean, _ := goldenStore(t)
	b, err := vfs.ReadFile(clean, "/data/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	if _, logs, err := decodeCheckpoint(b); err != nil || len(logs) != 3 {
		t.Fatal(err)
	}
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		if _, _, err := decodeCheckpoint(b); !errors.Is(err, errCheckpoint) {
			t.Fatalf("bit %d: %v", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func FuzzIndexes(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x05\x00\x00\x01\x00\x00\x00\x00\x09\x00\x00\x02\x00"), uint32(7), int64(1))
	f.Fuzz(func(t *testing.T, data []byte, rel uint32, ts int64) {
		r := bytes.NewReader(data)
		if _, err := searchIndex(r, uint32(len(data)), rel); err != nil {
			t.Fatal(err)
		}
		if _, err := searchTimes(r, uint32(len(data)), ts); err != nil {
			t.Fatal(err)
		}
	})
}

// Whatever stands in a segment's file: a read ends, and gives whole batches or
// an error.
func FuzzReadSegment(f *testing.F) {
	one := batchOf(5, "a", "b")
	two := batchOf(6, "c")
	two.SetBaseOffset(2)
	f.Add(slices.Concat([]byte(one), []byte(two)), int64(1), 100)
	f.Add([]byte{}, int64(0), 0)
	f.Fuzz(func(t *testing.T, data []byte, offset int64, most int) {
		s, _ := openStore(t, vfs.NewMem(), 1)
		defer s.Abandon()
		l := createLog(t, s, 0)
		mustSubmit(t, s, Append(l, batchOf(1, "x")))
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		seg := l.segs[0]
		file, err := s.opt.FS.Open(seg.file(l.dir(), logSuffix))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteAt(data, 0); err != nil {
			t.Fatal(err)
		}
		seg.end, seg.size, seg.next = uint32(len(data)), uint32(len(data)), 1<<40
		seg.checked = nil // as a start finds it: what this process has written counts as checked
		l.next = 1 << 40
		l.hw.Store(1 << 40)
		offset &= 1<<40 - 1
		buf, err := l.Read(offset, max(0, most%(1<<20)), true)
		for err == nil && len(buf) > 0 {
			b, rest, berr := kafka.NextBatch(buf)
			if berr != nil {
				t.Fatalf("no whole batch: %v", berr)
			}
			_, buf = b, rest
		}
		_, _ = l.FirstAt(offset % 2000)
	})
}
