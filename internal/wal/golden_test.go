package wal

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

var update = flag.Bool("update", false, "write the golden files anew: only for a new format version")

const (
	golden = "testdata/format1.txt"
	// goldenWithoutSums is from before groups had a sum of their frames.
	goldenWithoutSums = "testdata/format1-without-sums.txt"
)

// dump is a file as text: 32 bytes a line behind their offset, lines of zeros
// left out.
func dump(data []byte) string {
	var b strings.Builder
	for off := 0; off < len(data); off += 32 {
		line := data[off:min(off+32, len(data))]
		if len(bytes.Trim(line, "\x00")) > 0 {
			fmt.Fprintf(&b, "%06x %x\n", off, line)
		}
	}
	return b.String()
}

// undump is the way back, to a file of size bytes.
func undump(t testing.TB, text string, size int) []byte {
	t.Helper()
	data := make([]byte, size)
	for line := range strings.Lines(text) {
		at, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		off, err := strconv.ParseInt(at, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		p, err := hex.DecodeString(rest)
		if err != nil {
			t.Fatal(err)
		}
		copy(data[off:], p)
	}
	return data
}

// Format 1 is written today as it was on the day it was made.
func TestGoldenIsWritten(t *testing.T) {
	t.Parallel()
	_, data, _ := aLog(t)
	got := dump(data)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the format has changed; that needs a new version and a way to read the old one:\n%s", got)
	}
}

// Format 1 is read today as it was on the day it was made.
func TestGoldenIsRead(t *testing.T) {
	t.Parallel()
	for _, name := range []string{golden, goldenWithoutSums} {
		t.Run(name, func(t *testing.T) { goldenIsRead(t, name) })
	}
}

func goldenIsRead(t *testing.T, name string) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	res := mustScan(t, onDisk(t, undump(t, string(text), testFile)), 0)
	want := "1:3(1,0,topic) 1:3(2,0,topic) 2:1(1,0,first) 3:1(2,0," + strings.Repeat("long_", 900) + ") 3:1(1,1,second) 4:5(1,1,) 5:2(2,1,) 6:4(2,0,)"
	if got := story(res); got != want || len(res.Damaged) != 0 || res.Torn != 0 || res.Last != 6 {
		t.Errorf("%s\n%v, torn %d, last %d", got, res.Damaged, res.Torn, res.Last)
	}
	ref := res.Groups[4].Frames[0]
	if ref.RefLen != 200000 || ref.SegPos != 5000 || ref.Epoch != 3 || ref.CRC != 7 || ref.Topic != testTopic(2) {
		t.Errorf("%+v", ref)
	}
}

func FuzzScan(f *testing.F) {
	_, data, _ := aLog(f)
	f.Add(data[:2*blockSize+300], uint64(0))
	f.Add(data[:blockSize+100], uint64(1))
	f.Add([]byte{}, uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, after uint64) {
		mem := vfs.NewMem()
		if err := mem.MkdirAll(testDir); err != nil {
			t.Fatal(err)
		}
		file, err := mem.Create(testDir + "/00000001.wal")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(data, 0); err != nil {
			t.Fatal(err)
		}
		after %= 1 << 20
		res := mustScan(t, mem, Pos(after))
		last := Pos(after)
		for _, g := range res.Groups {
			if g.Seq <= last || g.Seq > res.Last {
				t.Fatalf("group %d after %d, the last is %d", g.Seq, last, res.Last)
			}
			last = g.Seq
			for i := range g.Frames {
				if err := g.Frames[i].verify(); err != nil {
					t.Fatalf("group %d: a frame that is not whole: %v", g.Seq, err)
				}
			}
		}
	})
}

func FuzzParseFrame(f *testing.F) {
	for _, fr := range []*Frame{createFrame(1, "topic"), batchFrame(2, 7, "v")} {
		b := make([]byte, fr.encodedSize())
		fr.put(b)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		fr, size, header, err := parseFrame(p)
		if err == nil && !header || header && (size <= 0 || size > len(p)) {
			t.Fatalf("size %d, header %v, %v", size, header, err)
		}
		if err != nil {
			return
		}
		// What was read and is written again is the same but for bytes without a
		// meaning, which are zeros now.
		b := make([]byte, fr.encodedSize())
		fr.put(b)
		again, _, _, err := parseFrame(b)
		if err != nil || describe(&again) != describe(&fr) || again.CRC != fr.CRC {
			t.Fatalf("%+v came back as %+v, %v", fr, again, err)
		}
	})
}
