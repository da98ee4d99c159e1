package vfs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// outcomes are the results of many crashes of one moment.
func outcomes(m *Mem, look func(*Mem) string) map[string]int {
	out := map[string]int{}
	for seed := range uint64(400) {
		out[look(m.Crash(KeepSome, seed))]++
	}
	return out
}

func synced(t testing.TB, m *Mem, name, data string) File {
	t.Helper()
	f := write(t, m, name, data)
	must(t, f.Sync())
	must(t, m.SyncDir("/"))
	return f
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	m := NewMem()
	f := synced(t, m, "a", "synced")
	_, err := f.WriteAt([]byte(" and more"), 6)
	must(t, err)
	if got := content(t, m.Crash(KeepNone, 0), "a"); got != "synced" {
		t.Errorf("%q", got)
	}
	if got := content(t, m.Crash(KeepAll, 0), "a"); got != "synced and more" {
		t.Errorf("%q", got)
	}
	got := outcomes(m, func(m *Mem) string { return content(t, m, "a") })
	// The size and the bytes reach the disk each for itself.
	for _, want := range []string{"synced", "synced and more", "synced" + strings.Repeat("\x00", 9)} {
		if got[want] == 0 {
			t.Errorf("%q never came out", want)
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("impossible: %v", got)
	}
}

func TestCrashTearsAtSectors(t *testing.T) {
	m := NewMem()
	f := synced(t, m, "a", strings.Repeat("o", 4*sectorSize))
	_, err := f.WriteAt(bytes.Repeat([]byte("n"), 3*sectorSize), sectorSize/2)
	must(t, err)
	torn, reordered := 0, 0
	for look := range outcomes(m, func(m *Mem) string { return content(t, m, "a") }) {
		shape := ""
		for s := range 4 {
			sector := look[s*sectorSize : (s+1)*sectorSize]
			var want string
			switch s {
			case 0:
				want = strings.Repeat("o", sectorSize/2) + strings.Repeat("n", sectorSize/2)
			case 3:
				want = strings.Repeat("n", sectorSize/2) + strings.Repeat("o", sectorSize/2)
			default:
				want = strings.Repeat("n", sectorSize)
			}
			switch sector {
			case want:
				shape += "n"
			case strings.Repeat("o", sectorSize):
				shape += "o"
			default:
				t.Fatalf("sector %d is neither old nor new", s)
			}
		}
		if strings.Contains(shape, "n") && strings.Contains(shape, "o") {
			torn++
		}
		if strings.Contains(shape, "on") {
			reordered++
		}
	}
	if torn == 0 || reordered == 0 {
		t.Errorf("%d torn, %d out of order", torn, reordered)
	}
}

// A sector that was written twice may hold the first content, never a mixture.
func TestCrashMayKeepAnEarlierVersion(t *testing.T) {
	m := NewMem()
	f := synced(t, m, "a", "00000000")
	for _, s := range []string{"1111", "22"} {
		_, err := f.WriteAt([]byte(s), 0)
		must(t, err)
	}
	got := outcomes(m, func(m *Mem) string { return content(t, m, "a") })
	if len(got) != 3 || got["00000000"] == 0 || got["11110000"] == 0 || got["22110000"] == 0 {
		t.Errorf("%v", got)
	}
}

func TestCrashKeepsAPrefixSometimes(t *testing.T) {
	m := NewMem()
	a, b := synced(t, m, "a", "-"), synced(t, m, "b", "-")
	for i := range 4 {
		f := []File{a, b}[i%2]
		_, err := f.WriteAt(fmt.Append(nil, i), 0)
		must(t, err)
	}
	got := outcomes(m, func(m *Mem) string { return content(t, m, "a") + content(t, m, "b") })
	for _, want := range []string{"--", "0-", "01", "21", "23", "-3", "03", "2-"} {
		if got[want] == 0 {
			t.Errorf("%q never came out of %v", want, got)
		}
	}
}

func TestCrashAndNames(t *testing.T) {
	look := func(m *Mem) string {
		var out []string
		for _, n := range names(t, m, "/") {
			out = append(out, n+"="+content(t, m, n))
		}
		return strings.Join(out, " ")
	}
	for name, c := range map[string]struct {
		run   func(m *Mem)
		wants []string // all that may come out, and each does
	}{
		"a synced file needs its directory synced": {
			func(m *Mem) { must(t, write(t, m, "b", "new").Sync()) },
			[]string{"a=old", "a=old b=new"},
		},
		"rename is whole": {
			func(m *Mem) {
				must(t, write(t, m, "b", "new").Sync())
				must(t, m.SyncDir("/"))
				must(t, m.Rename("b", "a"))
			},
			[]string{"a=old b=new", "a=new"},
		},
		"rename without syncing the file first": {
			func(m *Mem) {
				write(t, m, "b", "new")
				must(t, m.SyncDir("/"))
				must(t, m.Rename("b", "a"))
				must(t, m.SyncDir("/"))
			},
			[]string{"a=", "a=new", "a=\x00\x00\x00"},
		},
		"remove": {
			func(m *Mem) { must(t, m.Remove("a")) },
			[]string{"a=old", ""},
		},
		"remove, synced": {
			func(m *Mem) { must(t, m.Remove("a")); must(t, m.SyncDir("/")) },
			[]string{""},
		},
		"link": {
			func(m *Mem) { must(t, m.Link("a", "b")); must(t, m.Remove("a")) },
			[]string{"a=old", "a=old b=old", "b=old", ""},
		},
	} {
		m := NewMem()
		synced(t, m, "a", "old").Close()
		c.run(m)
		got := outcomes(m, look)
		for _, w := range c.wants {
			if got[w] == 0 {
				t.Errorf("%s: %q never came out", name, w)
			}
			delete(got, w)
		}
		if len(got) > 0 {
			t.Errorf("%s: impossible: %v", name, got)
		}
	}
}

// A name in a directory is of no use while the directory's own name is lost.
func TestCrashLosesTheWayToADirectory(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("d/e"))
	must(t, write(t, m, "d/e/a", "x").Sync())
	must(t, m.SyncDir("d/e"))
	must(t, m.SyncDir("d"))
	wantNames(t, m.Crash(KeepNone, 0), "/")
	must(t, m.SyncDir("/"))
	if got := content(t, m.Crash(KeepNone, 0), "d/e/a"); got != "x" {
		t.Errorf("%q", got)
	}
}

// A rename from one directory to another is durable with either of them, and
// the file is never in both and never in none.
func TestCrashRenameAcrossDirectories(t *testing.T) {
	for _, dir := range []string{"d", "e"} {
		m := NewMem()
		must(t, m.MkdirAll("d"))
		must(t, m.MkdirAll("e"))
		must(t, m.SyncDir("/"))
		must(t, write(t, m, "d/a", "x").Sync())
		must(t, m.SyncDir("d"))
		must(t, m.Rename("d/a", "e/a"))
		for seed := range uint64(50) {
			c := m.Crash(KeepSome, seed)
			if n := len(names(t, c, "d")) + len(names(t, c, "e")); n != 1 {
				t.Fatalf("the file has %d names", n)
			}
		}
		must(t, m.SyncDir(dir))
		wantNames(t, m.Crash(KeepNone, 0), "d")
		wantNames(t, m.Crash(KeepNone, 0), "e", "a")
	}
}

func TestCrashAfterTruncate(t *testing.T) {
	m := NewMem()
	f := synced(t, m, "a", "0123456789")
	must(t, f.Truncate(3))
	got := outcomes(m, func(m *Mem) string { return content(t, m, "a") })
	if got["012"] == 0 || got["0123456789"] == 0 {
		t.Errorf("%v", got)
	}
	must(t, f.Sync())
	_, err := f.WriteAt([]byte("x"), 9)
	must(t, err)
	if got := content(t, m, "a"); got != "012\x00\x00\x00\x00\x00\x00x" {
		t.Errorf("cut bytes came back: %q", got)
	}
	must(t, f.Sync())
	if got := content(t, m.Crash(KeepNone, 0), "a"); got != "012\x00\x00\x00\x00\x00\x00x" {
		t.Errorf("%q", got)
	}
}

func TestEqualSeedsGiveEqualDisks(t *testing.T) {
	m := NewMem()
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 20 {
		f := write(t, m, fmt.Sprint("f", i), strings.Repeat("ab", rng.IntN(20_000)))
		if i%3 == 0 {
			must(t, f.Sync())
			must(t, m.SyncDir("/"))
		}
	}
	look := func(m *Mem) string {
		var all strings.Builder
		for _, n := range names(t, m, "/") {
			all.WriteString(n + content(t, m, n))
		}
		return all.String()
	}
	for seed := range uint64(30) {
		once, again := m.Crash(KeepSome, seed), m.Crash(KeepSome, seed)
		if look(once) != look(again) {
			t.Fatalf("seed %d gives two disks", seed)
		}
	}
}

func TestCrashLeavesTheOldOneAlone(t *testing.T) {
	m := NewMem()
	f := synced(t, m, "a", "one")
	c := m.Crash(KeepAll, 0)
	_, err := f.WriteAt([]byte("two"), 0)
	must(t, err)
	g, err := c.Open("a")
	must(t, err)
	_, err = g.WriteAt([]byte("six"), 0)
	must(t, err)
	if a, b := content(t, m, "a"), content(t, c, "a"); a != "two" || b != "six" {
		t.Errorf("%q %q", a, b)
	}
	if got := content(t, c.Crash(KeepNone, 0), "a"); got != "one" {
		t.Errorf("%q", got)
	}
}

func TestKillKeepsWhatWasWrittenButNotForThePowerLoss(t *testing.T) {
	m := NewMem()
	synced(t, m, "a", "one")
	must(t, m.Rename("a", "b"))
	write(t, m, "b", "two").Close()
	write(t, m, "c", "new").Close()
	_, err := m.Lock("lock")
	must(t, err)
	k := m.Kill()
	wantNames(t, k, "/", "b", "c", "lock")
	if got := content(t, k, "b"); got != "two" {
		t.Errorf("%q", got)
	}
	l, err := k.Lock("lock")
	must(t, err)
	must(t, l.Close())
	lost := k.Crash(KeepNone, 0)
	wantNames(t, lost, "/", "a")
	if got := content(t, lost, "a"); got != "one" {
		t.Errorf("%q", got)
	}
	f, err := k.Open("b")
	must(t, err)
	must(t, f.Sync())
	must(t, k.SyncDir("/"))
	again := k.Crash(KeepNone, 0)
	wantNames(t, again, "/", "b", "c", "lock")
	if got := content(t, again, "b"); got != "two" {
		t.Errorf("%q", got)
	}
}

// Linux marks the pages clean when a sync fails: all looks well until the power
// goes.
func TestFailedSyncLosesThePagesSilently(t *testing.T) {
	m := NewMem()
	f := NewFaulty(m)
	synced(t, m, "a", "old").Close()
	a, err := f.Open("a")
	must(t, err)
	_, err = a.WriteAt([]byte("new"), 0)
	must(t, err)
	r := f.Add(Rule{Op: OpSync, Times: 1, Err: ErrNoSpace})
	if a.Sync() == nil || f.Hits(r) != 1 {
		t.Fatal("the sync did not fail")
	}
	if got := content(t, f, "a"); got != "new" {
		t.Errorf("the cache has %q", got)
	}
	must(t, a.Sync())
	if got := content(t, m.Crash(KeepAll, 0), "a"); got != "old" {
		t.Errorf("the disk has %q", got)
	}
	// A new write to the page makes it dirty again, with all that is on it.
	_, err = a.WriteAt([]byte("!"), 3)
	must(t, err)
	must(t, a.Sync())
	if got := content(t, m.Crash(KeepNone, 0), "a"); got != "new!" {
		t.Errorf("the disk has %q", got)
	}
}

func TestCrashWhileOthersWrite(t *testing.T) {
	m := NewMem()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		wg.Go(func() {
			name := fmt.Sprint("f", w)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				f := write(t, m, name+".tmp", strings.Repeat("x", 100*i%9000))
				if err := f.Sync(); err != nil {
					t.Error(err)
				}
				f.Close()
				if err := m.Rename(name+".tmp", name); err != nil {
					t.Error(err)
				}
				if err := m.SyncDir("/"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for seed := range uint64(100) {
		c := m.Crash(KeepSome, seed)
		k := m.Kill()
		for _, n := range names(t, c, "/") {
			write(t, c, n, "mine").Close()
		}
		for _, n := range names(t, k, "/") {
			content(t, k, n)
		}
	}
	close(stop)
	wg.Wait()
}
