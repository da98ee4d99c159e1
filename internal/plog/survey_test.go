package plog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// threeSegments fills a log with 30 records, ten to a segment, one to a batch, and
// stops cleanly.
func threeSegments(t *testing.T, fs vfs.FS) {
	t.Helper()
	s, _ := openStore(t, fs, 1)
	cfg := DefaultConfig()
	cfg.IndexInterval = 200
	l := mustSubmit(t, s, Create(testID(0), "topic", cfg))[0].Log
	other := createLog(t, s, 1)
	size := len(batchOf(1, "value-00"))
	cfg.SegmentBytes = int64(10 * size)
	l.SetConfig(cfg)
	for i := range 30 {
		mustSubmit(t, s, Append(l, sequenced(7, 0, int32(i), fmt.Sprintf("value-%02d", i))))
	}
	mustSubmit(t, s, Append(other, batchOf(1, "other")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// flipByte inverts bits of one byte of a file.
func flipByte(t testing.TB, fs vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

func mustCheck(t testing.TB, l *Log) *LogCheck {
	t.Helper()
	c, err := l.Check(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheckFindsNothingWrongInAGoodLog(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	threeSegments(t, fs)
	s, _ := openStore(t, fs, 2)
	defer s.Close()
	c := mustCheck(t, s.Log(testID(0)))
	if !c.OK() {
		t.Fatalf("%+v", c)
	}
	var records int64
	entries := 0
	for _, seg := range c.Segments {
		records += seg.Records
		entries += seg.IndexEntries
	}
	if len(c.Segments) != 3 || records != 30 || entries < 3 {
		t.Errorf("%d segments, %d records, %d index entries: %+v", len(c.Segments), records, entries, c)
	}
}

// A wrong byte anywhere in the files of a log is found, and what is said to be lost
// is what is lost: the good batches around it are counted.
func TestCheckFindsEveryWrongByte(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	threeSegments(t, fs)
	dir := ""
	{
		s, _ := openStore(t, fs, 2)
		dir = s.Log(testID(0)).dir()
		s.Close()
	}
	size := int64(len(sequenced(7, 0, 0, "value-00")))
	for _, suffix := range []string{logSuffix, indexSuffix, timeSuffix} {
		name := fmt.Sprintf("%s/%020d%s", dir, 10, suffix)
		b, err := vfs.ReadFile(fs, name)
		if err != nil {
			t.Fatal(err)
		}
		for at := range int64(len(b)) {
			flipByte(t, fs, name, at)
			s, _ := openStore(t, fs, 3)
			c := mustCheck(t, s.Log(testID(0)))
			s.Abandon()
			if c.OK() {
				t.Errorf("a wrong byte %d of %s passes", at, name)
			}
			if suffix == logSuffix {
				bad := c.Segments[1].Bad
				hurt := 10 + at/size
				if len(bad) != 1 || bad[0].First != hurt || bad[0].Last != hurt || c.Segments[1].Records != 9 {
					t.Errorf("byte %d, in the batch at offset %d: found %v, %d good records", at, hurt, bad, c.Segments[1].Records)
				}
			}
			flipByte(t, fs, name, at)
		}
	}
}

// What a segment loses is said as a range, whatever is damaged: two batches side by
// side, the first, the last, the end of the file.
func TestSurveyStepsOverDamage(t *testing.T) {
	t.Parallel()
	var log []byte
	for i := range 6 {
		b := batchOf(int64(i), fmt.Sprintf("%d", i))
		b.SetBaseOffset(int64(100 + i))
		log = append(log, b...)
	}
	n := len(log) / 6
	for what, c := range map[string]struct {
		hurt []int // bytes
		cut  int
		want string
	}{
		"nothing":              {nil, 0, "[] 6"},
		"first":                {[]int{3}, 0, "[100-100] 5"},
		"two side by side":     {[]int{n + 66, 2*n + 10}, 0, "[101-102] 4"},
		"apart":                {[]int{n + 66, 3*n + 66}, 0, "[101-101 103-103] 4"},
		"a length":             {[]int{2*n + 9}, 0, "[102-102] 5"},
		"last":                 {[]int{5*n + 65}, 0, "[105-105] 5"},
		"the end is missing":   {nil, 5, "[105-105] 5"},
		"all":                  {[]int{0, n, 2 * n, 3 * n, 4 * n, 5 * n}, 0, "[100-105] 0"},
		"first, last and more": {[]int{20, 5*n + 20, 4*n + 20}, 0, "[100-100 104-105] 3"},
	} {
		fs := vfs.NewMem()
		bytes := slices.Clone(log)[:len(log)-c.cut]
		for _, at := range c.hurt {
			bytes[at] ^= 0x41
		}
		if err := vfs.ReplaceFile(fs, "/log", bytes); err != nil {
			t.Fatal(err)
		}
		f, err := fs.OpenRead("/log")
		if err != nil {
			t.Fatal(err)
		}
		var out SegmentCheck
		var good []string
		s := survey{log: f, size: int64(len(log) - c.cut), base: 100, next: 106, exact: true, each: func(_ int64, b kafka.Batch) error {
			good = append(good, fmt.Sprint(b.BaseOffset()))
			return nil
		}}
		if err := s.run(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		var bad []string
		for _, r := range out.Bad {
			bad = append(bad, fmt.Sprintf("%d-%d", r.First, r.Last))
		}
		if got := fmt.Sprintf("%v %d", bad, out.Records); got != c.want || len(good) != int(out.Batches) {
			t.Errorf("%s: %s, want %s (%s; %v)", what, got, c.want, strings.Join(good, " "), out.Bad)
		}
	}
}
