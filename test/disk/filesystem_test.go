package disk

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat/test/disk/volatile"
	"github.com/leatdev/leat/test/leatproc"
)

// kinds are the file systems that are tried, with how they are made. They have
// their own ideas of what an fsync of a new file, or of its directory, takes along.
var kinds = map[string][]string{
	"ext4":  {"mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"},
	"xfs":   {"mkfs.xfs", "-q", "-f"},
	"btrfs": {"mkfs.btrfs", "-q", "-f"},
}

// filesystem is a file system on a loop device.
type filesystem struct {
	kind string
	// Dir is where it is mounted.
	Dir string
	// device is the file under the loop device.
	device string
	// disk and fuse are set for a file system that can lose power.
	disk    *volatile.Disk
	fuse    *volatile.Mount
	fuseDir string
}

// command runs a system program that must succeed.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// image makes a file with an empty file system.
func image(t *testing.T, dir, kind string, size int64) string {
	t.Helper()
	mkfs := kinds[kind]
	if _, err := exec.LookPath(mkfs[0]); err != nil {
		leatproc.Missing(t, mkfs[0], err)
	}
	path := filepath.Join(dir, "image")
	f, err := os.Create(path)
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	command(t, mkfs[0], append(mkfs[1:len(mkfs):len(mkfs)], path)...)
	return path
}

func subdir(t *testing.T, parent, name string) string {
	t.Helper()
	dir := filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newFilesystem mounts an ext4 of so many bytes; it goes with the test.
func newFilesystem(t *testing.T, size int64) *filesystem {
	t.Helper()
	needMounts(t)
	dir := t.TempDir()
	f := &filesystem{kind: "ext4", Dir: subdir(t, dir, "mnt"), device: image(t, dir, "ext4", size)}
	f.mount(t)
	t.Cleanup(func() { _ = syscall.Unmount(f.Dir, syscall.MNT_DETACH) })
	return f
}

// newVolatile is a file system on a disk that can lose power.
func newVolatile(t *testing.T, kind string, size int64) *filesystem {
	t.Helper()
	needMounts(t)
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("not run: this kernel has no FUSE: %v", err)
	}
	// The harder case of the two, as far as the file system takes it: xfs does not
	// survive that half of one of its blocks is written.
	sector := int64(512)
	if kind == "xfs" {
		sector = 4096
	}
	dir := t.TempDir()
	disk, err := volatile.Open(image(t, dir, kind, size), sector)
	if err != nil {
		t.Fatal(err)
	}
	f := &filesystem{kind: kind, Dir: subdir(t, dir, "mnt"), disk: disk, fuseDir: subdir(t, dir, "disk")}
	f.device = filepath.Join(f.fuseDir, volatile.FileName)
	f.mount(t)
	t.Cleanup(func() {
		f.disk.Cut() // so that nothing waits for it
		_ = syscall.Unmount(f.Dir, syscall.MNT_DETACH)
		if f.fuse != nil {
			_ = f.fuse.Unmount()
		}
		_ = f.disk.Close()
	})
	return f
}

func (f *filesystem) mount(t *testing.T) {
	t.Helper()
	if f.disk != nil {
		fuse, err := volatile.MountAt(f.disk, f.fuseDir)
		if err != nil {
			t.Fatal(err)
		}
		f.fuse = fuse
	}
	command(t, "mount", "-t", f.kind, "-o", "loop", f.device, f.Dir)
}

// unmount takes the file system away; nobody may have files open in it.
func (f *filesystem) unmount(t *testing.T) {
	t.Helper()
	command(t, "umount", f.Dir)
	if f.fuse != nil {
		if err := f.fuse.Unmount(); err != nil {
			t.Fatal(err)
		}
		f.fuse = nil
	}
}

// cutSoon cuts the power at a random moment: in the middle of the write of one
// of the next sectors, or after some time if there are not so many.
func (f *filesystem) cutSoon(rng *rand.Rand, sectors int, most time.Duration) {
	select {
	case <-f.disk.CutAfter(rng.IntN(sectors)):
	case <-time.After(time.Duration(rng.Int64N(int64(most)))):
		f.disk.Cut()
	}
}

// powerCycle gives the power back after disk.Cut: the file system comes back
// with what was flushed and, at random, some of what was not. Its own journal
// does what it can.
func (f *filesystem) powerCycle(t *testing.T, rng *rand.Rand, keep float64) volatile.Lost {
	t.Helper()
	f.unmount(t)
	lost, err := f.disk.Power(rng, keep)
	if err != nil {
		t.Fatal(err)
	}
	f.mount(t)
	return lost
}

// free is the file system's free space in bytes.
func (f *filesystem) free(t *testing.T) int64 {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(f.Dir, &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

// ballast takes space until only so much is free, and returns its file's name.
func (f *filesystem) ballast(t *testing.T, leave int64) string {
	t.Helper()
	file, err := os.CreateTemp(f.Dir, "ballast")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := int64(0); f.free(t) > leave; {
		// By pieces, since the file system needs some for itself.
		step := max(min(f.free(t)-leave, 64<<20), 4096)
		if err := syscall.Fallocate(int(file.Fd()), 0, size, step); err == syscall.ENOSPC {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		size += step
	}
	return file.Name()
}
