package vfs

import (
	"path/filepath"
	"testing"
)

// Blocks that are taken ahead do not make a file longer, and Truncate gives them back.
func TestReservedBlocksOfMem(t *testing.T) {
	t.Parallel()
	mem := NewMem()
	file := write(t, mem, "/a", "hello")
	defer file.Close()
	used := mem.Used()
	mem.SetSpace(used + 64<<10)
	look := func(want int64) {
		t.Helper()
		info, err := mem.Stat("/a")
		must(t, err)
		if info.Size() != 5 || Taken(info) != want || mem.Used() != want-pageSize+used {
			t.Errorf("%d bytes, %d taken, %d used", info.Size(), Taken(info), mem.Used())
		}
	}
	file.(Reserver).Reserve(5, 32<<10)
	look(36 << 10)
	file.(Reserver).Reserve(5, 128<<10) // more than there is: none
	look(36 << 10)
	must(t, file.Truncate(5))
	look(pageSize)
}

// The same on the disk.
func TestReservedBlocks(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "a")
	file := write(t, OS{}, name, "hello")
	defer file.Close()
	r, ok := file.(Reserver)
	if !ok {
		t.Skip("this system takes no blocks ahead")
	}
	r.Reserve(0, 4<<20)
	taken := func() int64 {
		must(t, file.Sync())
		info, err := OS{}.Stat(name)
		must(t, err)
		if info.Size() != 5 {
			t.Fatalf("the file has %d bytes, want 5", info.Size())
		}
		return Taken(info)
	}
	if n := taken(); n < 4<<20 {
		t.Skipf("this file system takes no blocks ahead: %d bytes", n)
	}
	must(t, file.Truncate(5))
	if n := taken(); n >= 1<<20 {
		t.Errorf("%d bytes are still taken", n)
	}
	if got := content(t, OS{}, name); got != "hello" {
		t.Errorf("the file holds %q", got)
	}
}
