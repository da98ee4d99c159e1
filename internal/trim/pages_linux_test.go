package trim

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

const smaps = `00400000-016f8000 r-xp 00000000 fe:00 1 /usr/bin/leat
Rss:                 400 kB
Anonymous:             0 kB
AnonHugePages:         8 kB
VmFlags: rd ex mr mw me
016f8000-02f67000 r--p 012f8000 fe:00 1 /usr/bin/leat
Anonymous:             4 kB
02f67000-02fdd000 rw-p 02b67000 fe:00 1 /usr/bin/leat
Anonymous:             0 kB
02fdd000-05fdd000 r--p 02c67000 fe:00 1 /usr/bin/leat
Anonymous:             0 kB
c000000000-c000400000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f47eaaff000-7f47eab25000 r--p 00000000 fe:00 2 /usr/lib/libc.so.6
Anonymous:             0 kB
`

// Only the program's own read-only mappings without a page of ours: what was written
// to one (relocations, breakpoints) would be lost.
func TestUntouched(t *testing.T) {
	t.Parallel()
	got := untouched(bufio.NewScanner(strings.NewReader(smaps)), []byte("/usr/bin/leat"))
	want := []region{{0x400000, 0x16f8000}, {0x2fdd000, 0x5fdd000}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%x, want %x", got, want)
	}
}

// The program goes on when its pages have been given up, and has fewer of them.
func TestDropProgramPages(t *testing.T) {
	text := func() int {
		f, err := os.Open("/proc/self/smaps")
		if err != nil {
			t.Skip(err)
		}
		defer f.Close()
		exe, err := os.Readlink("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		return len(untouched(bufio.NewScanner(f), []byte(exe)))
	}
	if text() == 0 {
		t.Skip("this program has no mapping without pages of its own")
	}
	dropProgramPages()
	if text() == 0 {
		t.Error("the mappings are gone")
	}
}
