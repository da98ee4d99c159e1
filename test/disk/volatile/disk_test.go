package volatile

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Sector is the disks' in these tests.
const Sector = 512

func open(t *testing.T, sectors int) *Disk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "platter")
	if err := os.WriteFile(path, make([]byte, sectors*Sector), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(path, Sector)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func write(t *testing.T, d *Disk, off int64, text string) {
	t.Helper()
	if _, err := d.WriteAt([]byte(text), off); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, d *Disk, off int64, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := d.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAModelOfADisk(t *testing.T) {
	d := open(t, 64)
	rng := rand.New(rand.NewPCG(1, 1))
	model := make([]byte, d.Size())
	for range 2000 {
		off := rng.Int64N(d.Size())
		b := make([]byte, rng.Int64N(min(d.Size()-off, 3*Sector))+1)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		write(t, d, off, string(b))
		copy(model[off:], b)
		if rng.IntN(10) == 0 {
			if err := d.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		off = rng.Int64N(d.Size())
		n := rng.Int64N(d.Size()-off) + 1
		if got := read(t, d, off, int(n)); !bytes.Equal([]byte(got), model[off:off+n]) {
			t.Fatalf("%d bytes at %d are not what was written", n, off)
		}
	}
}

func TestACutTakesWhatWasNotFlushed(t *testing.T) {
	d := open(t, 64)
	write(t, d, 700, "flushed")
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	write(t, d, 700, "FLU")
	write(t, d, 9000, "cached")
	d.Cut()
	if _, err := d.WriteAt([]byte("x"), 0); err != ErrPower {
		t.Fatalf("a write without power: %v", err)
	}
	if err := d.Flush(); err != ErrPower {
		t.Fatalf("a flush without power: %v", err)
	}
	lost, err := d.Power(rand.New(rand.NewPCG(1, 2)), 0)
	if err != nil || lost != (Lost{Cached: 2}) {
		t.Fatal(lost, err)
	}
	if got := read(t, d, 700, 7); got != "flushed" {
		t.Errorf("%q instead of what was flushed", got)
	}
	if got := read(t, d, 9000, 6); got != "\x00\x00\x00\x00\x00\x00" {
		t.Errorf("%q was not flushed and is there", got)
	}
}

func TestACutInTheMiddleOfAWrite(t *testing.T) {
	d := open(t, 8)
	cut := d.CutAfter(2)
	n, err := d.WriteAt(bytes.Repeat([]byte("x"), 4*Sector), 0)
	if n != 2*Sector || err != ErrPower {
		t.Fatal(n, err)
	}
	<-cut
	lost, err := d.Power(rand.New(rand.NewPCG(1, 2)), 1)
	if err != nil || lost != (Lost{Cached: 2, Kept: 2}) {
		t.Fatal(lost, err)
	}
	if got := read(t, d, Sector, 2*Sector); got[Sector-1] != 'x' || got[Sector] != 0 {
		t.Error("not two sectors of four")
	}
}

func TestACutKeepsSomeSectors(t *testing.T) {
	d := open(t, 1000)
	write(t, d, 0, string(bytes.Repeat([]byte("x"), 1000*Sector)))
	d.Cut()
	lost, err := d.Power(rand.New(rand.NewPCG(1, 3)), 0.5)
	if err != nil || lost.Cached != 1000 || lost.Kept < 400 || lost.Kept > 600 {
		t.Fatal(lost, err)
	}
	kept := 0
	for at := range int64(1000) {
		if read(t, d, at*Sector, 1) == "x" {
			kept++
		}
	}
	if kept != lost.Kept {
		t.Errorf("%d sectors are there, %d were to be kept", kept, lost.Kept)
	}
}

func TestAFailingDiskReadsAndDoesNotWrite(t *testing.T) {
	d := open(t, 8)
	write(t, d, 0, "old")
	d.Fail(true)
	if _, err := d.WriteAt([]byte("new"), 0); err != ErrIO {
		t.Error(err)
	}
	if err := d.Flush(); err != ErrIO {
		t.Error(err)
	}
	if got := read(t, d, 0, 3); got != "old" {
		t.Error(got)
	}
	d.Fail(false)
	if err := d.Flush(); err != nil {
		t.Error(err)
	}
}
