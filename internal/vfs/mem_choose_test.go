package vfs

import (
	"slices"
	"testing"
)

// Whoever makes the choices of a crash can make those that Crash makes, and any
// single one of them.
func TestCrashKeeping(t *testing.T) {
	m := NewMem()
	f, err := m.Create("/a")
	if err != nil {
		t.Fatal(err)
	}
	write := func(at int64, fill byte, n int) {
		t.Helper()
		if _, err := f.WriteAt(slices.Repeat([]byte{fill}, n), at); err != nil {
			t.Fatal(err)
		}
	}
	write(0, 1, 2*pageSize)
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := m.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	if n := len(m.Changes()); n != 0 {
		t.Fatalf("%d changes after the syncs", n)
	}
	write(pageSize-sectorSize, 2, 2*sectorSize) // a sector in each of two pages
	write(pageSize-sectorSize, 3, sectorSize)   // one of them again
	write(2*pageSize, 4, 10)                    // a new sector and a new size
	write(0, 1, sectorSize)                     // what is there already
	if err := m.Rename("/a", "/b"); err != nil {
		t.Fatal(err)
	}
	changes := m.Changes()
	kinds := map[ChangeKind]int{}
	for _, ch := range changes {
		kinds[ch.Kind]++
	}
	if kinds[ChangeNames] != 1 || kinds[ChangeSize] != 1 || kinds[ChangeSector] != 4 {
		t.Fatalf("%+v", changes)
	}
	all := m.CrashKeeping(func(Change) bool { return true })
	none := m.CrashKeeping(func(Change) bool { return false })
	if all.Digest() != m.Crash(KeepAll, 0).Digest() || all.Digest() != m.Digest() {
		t.Error("keeping all of it is not KeepAll")
	}
	if none.Digest() != m.Crash(KeepNone, 0).Digest() || none.Digest() == all.Digest() {
		t.Error("keeping none of it is not KeepNone")
	}
	// Each subset: as many disks as can be told apart. The sector that was written
	// twice has three contents, two other choices of data are free of each other, the new
	// page shows only with its size, and the name is of its own.
	disks := map[uint64]bool{}
	for set := range 1 << len(changes) {
		c := m.CrashKeeping(func(ch Change) bool { return set>>max(0, slices.Index(changes, ch))&1 == 1 })
		disks[c.Digest()] = true
		if n := len(c.Changes()); n != 0 {
			t.Fatalf("a disk after a crash has %d changes of its own", n)
		}
	}
	// 3 contents of the one sector, 2 of the other, no page / a page of zeros / the
	// page, 2 names. A page of zeros is a size without its sector.
	if want := 3 * 2 * 3 * 2; len(disks) != want {
		t.Errorf("%d different disks, want %d", len(disks), want)
	}
}
