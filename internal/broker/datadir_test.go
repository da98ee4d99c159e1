package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// A start counts itself, and keeps the cluster's id.
func TestDataDirCountsStarts(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	var first meta
	for n := int32(1); n <= 3; n++ {
		m, lock, err := openDir(disk, "/a/b/data")
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			first = m
		}
		if m.Boots != n || m.ClusterID != first.ClusterID || m.Salt != first.Salt || len(m.ClusterID) != 22 {
			t.Errorf("start %d: %+v, the first %+v", n, m, first)
		}
		if _, _, err := openDir(disk, "/a/b/data"); !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), "/a/b/data is in use by another Leat") {
			t.Errorf("two at once: %v", err)
		}
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
		disk = disk.Crash(vfs.KeepNone, uint64(n))
	}
}

// Whatever step of a start a crash or a failure hits, the next start counts
// further than any that was told its number.
func TestDataDirAfterACrashAtAnyStep(t *testing.T) {
	t.Parallel()
	for step := 0; ; step++ {
		disk := vfs.NewMem()
		faulty := vfs.NewFaulty(disk)
		told, cluster := int32(0), ""
		open := func(fs vfs.FS) error {
			m, lock, err := openDir(fs, "/data")
			if err != nil {
				return err
			}
			if m.Boots <= told || cluster != "" && m.ClusterID != cluster {
				t.Fatalf("step %d: start %d of %s after start %d of %s", step, m.Boots, m.ClusterID, told, cluster)
			}
			told, cluster = m.Boots, m.ClusterID
			return lock.Close()
		}
		if err := open(faulty); err != nil {
			t.Fatal(err)
		}
		broken := faulty.Add(vfs.Rule{Op: vfs.OpChange, After: step, Err: syscall.EIO})
		failed := open(faulty)
		if (failed == nil) != (faulty.Hits(broken) == 0) {
			t.Errorf("step %d: %v, though %d steps failed", step, failed, faulty.Hits(broken))
		}
		for _, keep := range []vfs.Keep{vfs.KeepNone, vfs.KeepAll, vfs.KeepSome} {
			before := told
			if err := open(disk.Crash(keep, uint64(step))); err != nil {
				t.Errorf("step %d: the start after it: %v", step, err)
			}
			told = before // another crash of the same disk
		}
		if failed == nil {
			return
		}
	}
}

// A start that was killed may leave directories whose names are not on disk: the
// next one does not take them for durable.
func TestDataDirAfterAKillAtAnyStep(t *testing.T) {
	t.Parallel()
	for step := 0; ; step++ {
		disk := vfs.NewMem()
		faulty := vfs.NewFaulty(disk)
		broken := faulty.Add(vfs.Rule{Op: vfs.OpChange, After: step, Err: syscall.EIO})
		if _, lock, err := openDir(faulty, "/a/b/data"); err == nil {
			lock.Close()
		}
		if faulty.Hits(broken) == 0 {
			return
		}
		disk = disk.Kill()
		first, lock, err := openDir(disk, "/a/b/data")
		if err != nil {
			t.Fatalf("killed at step %d: %v", step, err)
		}
		lock.Close()
		second, _, err := openDir(disk.Crash(vfs.KeepNone, 1), "/a/b/data")
		if err != nil || second.ClusterID != first.ClusterID || second.Boots != first.Boots+1 {
			t.Errorf("killed at step %d, started, lost power, started: %+v after %+v, %v", step, second, first, err)
		}
	}
}

// A directory that is not ours, or newer than us, is left alone.
func TestDataDirRefusals(t *testing.T) {
	t.Parallel()
	good := meta{Version: metaVersion, ClusterID: "c", Boots: 7}
	text := func(change func(*meta)) string {
		m := good
		change(&m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for what, tc := range map[string]struct{ file, content, want string }{
		"somebody's data": {"letter.txt", "dear", `holds "letter.txt" but no meta.json`},
		"newer":           {metaName, text(func(m *meta) { m.Version++ }), "use a newer Leat"},
		"no json":         {metaName, "}", "is not readable"},
		"no cluster":      {metaName, text(func(m *meta) { m.ClusterID = "" }), "does not describe a data directory"},
		"no version":      {metaName, text(func(m *meta) { m.Version = 0 }), "does not describe a data directory"},
		"negative starts": {metaName, text(func(m *meta) { m.Boots = -1 }), "does not describe a data directory"},
	} {
		disk := vfs.NewMem()
		if err := disk.MkdirAll("/data"); err != nil {
			t.Fatal(err)
		}
		if err := vfs.ReplaceFile(disk, "/data/"+tc.file, []byte(tc.content)); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a refusal keeps no lock
			if _, _, err := openDir(disk, "/data"); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want %q", what, err, tc.want)
			}
		}
		if b, err := vfs.ReadFile(disk, "/data/"+tc.file); err != nil || string(b) != tc.content {
			t.Errorf("%s: the file is now %q, %v", what, b, err)
		}
	}
}

// Producer ids of one start never reach those of the next.
func TestProducerIDsEndBeforeTheNextStart(t *testing.T) {
	t.Parallel()
	b := &Broker{Epoch: 7}
	b.ids.Store(1<<32 - 3)
	var got []string
	for range 3 {
		id, err := b.NextProducerID()
		got = append(got, fmt.Sprint(id>>32, " ", uint32(id), " ", err != nil))
	}
	want := []string{"7 4294967294 false", "7 4294967295 false", "0 0 true"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
}
