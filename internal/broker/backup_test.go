package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// someRecords is a broker with three records in each of two partitions.
func someRecords(t *testing.T, fs vfs.FS) *Broker {
	t.Helper()
	b := openTopicsTest(t, fs, nil)
	mustCreate(t, b, NewTopic{Name: "in", Partitions: 2, ReplicationFactor: -1})
	for i := range 3 {
		for p := range int32(2) {
			keep(t, b, b.Partition("in", p), fmt.Sprint(p), fmt.Sprint(i))
		}
	}
	return b
}

// isWhole opens a directory and looks whether all of someRecords is there.
func isWhole(t *testing.T, fs vfs.FS, dir string) *Broker {
	t.Helper()
	b, err := Open(Config{FS: fs, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(2) {
		want := []string{fmt.Sprintf("%d=0", p), fmt.Sprintf("%d=1", p), fmt.Sprintf("%d=2", p)}
		if got := kept(t, b.Partition("in", p)); !slices.Equal(got, want) {
			t.Fatalf("partition %d of what came back: %v", p, got)
		}
	}
	return b
}

// A loss of power before any change that a backup makes to the disk: no backup, or a
// whole one; never one that a restore would take for whole. And the broker that was
// backed up is as it was.
func TestBackupCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	whole := 0
	for step := 0; ; step++ {
		disk := vfs.NewMem()
		faulty := vfs.NewFaulty(disk)
		b := someRecords(t, faulty)
		rule := faulty.Add(vfs.Rule{Op: vfs.OpChange, After: step, Err: syscall.EIO})
		_, err := b.Backup(t.Context(), "/backups/monday")
		hit := faulty.Hits(rule) > 0
		b.Abandon()
		for _, keep := range []vfs.Keep{vfs.KeepNone, vfs.KeepAll, vfs.KeepSome} {
			after := disk.Crash(keep, uint64(step))
			m, merr := ReadManifest(after, "/backups/monday")
			if err == nil && merr != nil {
				t.Fatalf("step %d: a backup that was made is gone: %v", step, merr)
			}
			if merr == nil {
				whole++
				if _, err := Restore(t.Context(), after, "/backups/monday", "/restored", false); err != nil {
					t.Fatalf("step %d: a backup with a manifest (%d files) is not restored: %v", step, len(m.Files), err)
				}
				isWhole(t, after, "/restored").Abandon()
			}
			again := isWhole(t, after, "/data")
			if merr != nil {
				if _, err := again.Backup(t.Context(), "/backups/monday"); err != nil {
					t.Fatalf("step %d: the second try: %v", step, err)
				}
			}
			again.Abandon()
		}
		if !hit {
			break
		}
	}
	if whole < 3 {
		t.Errorf("only %d backups were whole", whole)
	}
}

// A loss of power before any change that a restore makes: no server starts on what
// it leaves, or all of it is there; and it can be run again.
func TestRestoreCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	base := vfs.NewMem()
	b := someRecords(t, base)
	if _, err := b.Backup(t.Context(), "/backup"); err != nil {
		t.Fatal(err)
	}
	b.Abandon()
	for step := 0; ; step++ {
		disk := base.Crash(vfs.KeepAll, 1)
		faulty := vfs.NewFaulty(disk)
		rule := faulty.Add(vfs.Rule{Op: vfs.OpChange, After: step, Err: syscall.EIO})
		_, err := Restore(t.Context(), faulty, "/backup", "/restored", false)
		for _, keep := range []vfs.Keep{vfs.KeepNone, vfs.KeepAll, vfs.KeepSome} {
			after := disk.Crash(keep, uint64(step))
			_, statErr := after.Stat("/restored/meta.json")
			if err == nil && statErr != nil {
				t.Fatalf("step %d: what was restored is gone", step)
			}
			if statErr != nil {
				if names, err := after.List("/restored"); err == nil && slices.ContainsFunc(names, func(n string) bool { return n == "logs" || n == "checkpoint" }) {
					if b, err := Open(Config{FS: after, Dir: "/restored"}); err == nil {
						b.Abandon()
						t.Fatalf("step %d: a server starts on half a restore: %v", step, names)
					}
				}
				if _, err := Restore(t.Context(), after, "/backup", "/restored", false); err != nil {
					t.Fatalf("step %d: the second try: %v", step, err)
				}
			}
			isWhole(t, after, "/restored").Abandon()
		}
		if faulty.Hits(rule) == 0 {
			break
		}
	}
}

// Nothing is ever given out twice: the leader epochs and producer ids of what was
// restored lie beyond those that the original reaches in a hundred thousand starts,
// and two directories restored from one backup differ.
func TestRestoreBeginsANewEpoch(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	b := someRecords(t, disk)
	if _, err := b.Backup(t.Context(), "/backup"); err != nil {
		t.Fatal(err)
	}
	defer b.Abandon()
	var epochs []int32
	for i, newID := range []bool{false, true, false} {
		dir := fmt.Sprint("/restored-", i)
		if _, err := Restore(t.Context(), disk, "/backup", dir, newID); err != nil {
			t.Fatal(err)
		}
		r := isWhole(t, disk, dir)
		defer r.Abandon()
		if (r.ClusterID == b.ClusterID) == newID {
			t.Errorf("cluster id %s of %s", r.ClusterID, b.ClusterID)
		}
		id, err := r.NextProducerID()
		if err != nil {
			t.Fatal(err)
		}
		if r.Epoch < b.Epoch+100_000 || id>>32 != int64(r.Epoch) {
			t.Errorf("epoch %d, producer id %d; the original is in epoch %d", r.Epoch, id, b.Epoch)
		}
		if slices.Contains(epochs, r.Epoch) {
			t.Errorf("two restores are in epoch %d", r.Epoch)
		}
		epochs = append(epochs, r.Epoch)
		// A consumer that read on in the original, in a later start of it, is told where
		// this log leaves what it knows: at the end of the backup.
		p := r.Partition("in", 0)
		for _, epoch := range []int32{b.Epoch, b.Epoch + 7} {
			if e, end := p.EpochEnd(epoch, r.Epoch); e != b.Epoch || end != 3 {
				t.Errorf("epoch %d ends in %d at %d", epoch, e, end)
			}
		}
		keep(t, r, p, "new", "record")
		if e, end := p.EpochEnd(b.Epoch, r.Epoch); e != b.Epoch || end != 3 {
			t.Errorf("after an append epoch %d ends in %d at %d", b.Epoch, e, end)
		}
	}
}

func TestRestoreRefusals(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	b := someRecords(t, disk)
	m, err := b.Backup(t.Context(), "/backup")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Damaged()) != 0 {
		t.Errorf("%+v", m.Damaged())
	}
	b.Abandon()
	if err := disk.MkdirAll("/full"); err != nil {
		t.Fatal(err)
	}
	if err := vfs.ReplaceFile(disk, "/full/letter", []byte("dear")); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{"/full": `holds "letter"`, "/data": "is not empty"} {
		if _, err := Restore(t.Context(), disk, "/backup", to, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("into %s: %v, want %q", to, err, want)
		}
	}
	// The manifest: any wrong byte, and a newer version.
	text, err := vfs.ReadFile(disk, "/backup/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(text); at += 7 {
		bad := slices.Clone(text)
		bad[at] ^= 1
		if err := vfs.ReplaceFile(disk, "/backup/manifest.json", bad); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadManifest(disk, "/backup"); err == nil {
			t.Errorf("a wrong byte %d passes: %q", at, bad[max(0, at-20):at+20])
		}
	}
	newer := *m
	newer.Version++
	text, err = newer.seal()
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.ReplaceFile(disk, "/backup/manifest.json", text); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(context.Background(), disk, "/backup", "/new", false); err == nil || !strings.Contains(err.Error(), "use a newer Leat") {
		t.Errorf("a newer backup: %v", err)
	}
}

// Damage that the data has is copied as it is, and told of: the backup is as good as
// the data was.
func TestBackupTellsOfDamage(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	b := someRecords(t, disk)
	defer b.Abandon()
	if err := b.Store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	p := b.Partition("in", 1)
	name := fmt.Sprintf("/data/logs/in.%s/1/%020d.log", p.TopicID(), 0)
	data, err := vfs.ReadFile(disk, name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := disk.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := int64(len(data) - 5) // in the last of three batches
	if _, err := f.WriteAt([]byte{data[at] ^ 1}, at); err != nil {
		t.Fatal(err)
	}
	m, err := b.Backup(t.Context(), "/backup")
	if err != nil {
		t.Fatal(err)
	}
	d := m.Damaged()
	if len(d) != 1 || d[0].Topic != "in" || d[0].Partition != 1 || d[0].Records != 2 || !strings.Contains(strings.Join(d[0].Damage, " "), "offsets 2 to 2") {
		t.Errorf("%+v", d)
	}
	if again, err := ReadManifest(disk, "/backup"); err != nil || len(again.Damaged()) != 1 {
		t.Errorf("%v", err)
	}
}
