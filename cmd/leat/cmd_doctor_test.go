package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/doctor"
)

// treeBytes is every file below a directory with its bytes.
func treeBytes(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			out[name] = "directory"
			return err
		}
		b, err := os.ReadFile(name)
		out[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func unchanged(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	after := treeBytes(t, dir)
	for name, b := range before {
		if a, ok := after[name]; !ok || a != b {
			t.Errorf("%s was changed", name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s was made", name)
		}
	}
}

// filledDir is a data directory with 100 records in one partition of the topic in,
// stopped properly.
func filledDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	kafka, _, stop := serve(t, dir, "-c", "num.partitions=2")
	b := &bench{t: t, addr: kafka}
	for range 10 {
		b.stdin = strings.Repeat("some value of a record\n", 10)
		b.mustRun("produce", "in", "-p", "0")
	}
	if code := stop(); code != 0 {
		t.Fatalf("exit %d", code)
	}
	return dir
}

func segmentOf(t *testing.T, dir, topic string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "logs", topic+".*", "0", "*.log"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	return names[0]
}

// Looking at a directory changes no byte of it, and says what is there.
func TestDoctorOnlyLooks(t *testing.T) {
	t.Parallel()
	dir := filledDir(t)
	before := treeBytes(t, dir)
	b := &bench{t: t}
	var r doctor.Report
	b.decode(b.mustRun("doctor", dir, "--verify", "-o", "json"), &r)
	if !r.OK() || !r.Clean || r.Starts != 1 || r.Records < 100 || r.Partitions < 3 || r.WALFiles < 1 || r.CheckpointBytes == 0 {
		t.Errorf("%+v", r)
	}
	out := b.mustRun("doctor", dir)
	b.contains(out, "stopped properly; leader epoch 1, one more with each start")
	b.contains(out, "in     0          0      100  1")
	b.mustRun("doctor", dir, "--materialize", "--dry-run")
	b.same(b.mustRun("doctor", dir, "--repair", "cut", "--yes"), "no partition is damaged\n")
	unchanged(t, dir, before)
}

func TestDoctorRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, _, stop := serve(t, dir)
	b := &bench{t: t}
	for _, args := range []string{"doctor " + dir, "doctor --repair cut -y " + dir, "backup " + dir + " " + dir + "/to"} {
		r := b.run(strings.Fields(args)...)
		if r.code != 1 || !strings.Contains(r.err, "in use by another Leat") {
			t.Errorf("leat %s on a running server: exit %d, %s", args, r.code, r.err)
		}
	}
	stop()
	empty := t.TempDir()
	for args, want := range map[string]string{
		"doctor " + empty:                                  "it is not a Leat data directory",
		"doctor --repair sew " + dir:                       "want cut or keep",
		"doctor --topic x " + dir:                          "say what --repair is for",
		"doctor --repair cut --partition 1 " + dir:         "goes with --topic",
		"doctor --verify --materialize " + dir:             "one at a time",
		"doctor --segments " + empty:                       "are no segments",
		"backup " + dir:                                    "or `leat backup --server",
		"restore " + empty + " " + dir:                     "it is no backup",
		"backup --server 127.0.0.1:1 x":                    "is it the address after --http",
		"restore " + filepath.Join(empty, "x") + " " + dir: "it is no backup",
	} {
		if r := b.run(strings.Fields(args)...); r.code == 0 || !strings.Contains(r.err, want) {
			t.Errorf("leat %s: exit %d, %s, want %q", args, r.code, r.err, want)
		}
	}
	if names, err := os.ReadDir(empty); err != nil || len(names) != 0 {
		t.Errorf("a refused call left %v", names)
	}
}

// A flipped bit is found, shown with what each choice costs, and repaired; the
// partition is served again, and what was damaged is kept aside.
func TestDoctorRepairs(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]struct {
		lost  string
		count int
		next  string
	}{"cut": {"60 offsets", 40, "40"}, "keep": {"10 offsets", 90, "100"}} {
		dir := filledDir(t)
		name := segmentOf(t, dir, "in")
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(data)
		damaged[len(data)*4/10+80] ^= 1 // in the fifth batch of ten
		if err := os.WriteFile(name, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		before := treeBytes(t, dir)
		b := &bench{t: t}
		if r := b.run("doctor", dir); r.code != 0 {
			t.Errorf("without --verify nobody reads that far: %s", r.err)
		}
		r := b.run("doctor", dir, "--verify")
		if r.code != 1 || !strings.Contains(r.err, "1 partition damaged") {
			t.Errorf("exit %d, %s", r.code, r.err)
		}
		b.contains(r.out, "in partition 0 is damaged (offsets 0 to 99)")
		b.contains(r.out, "(offsets 40 to 49)")
		b.contains(r.out, "gives up 60 offsets (50 of them can be read); the partition ends at 40")
		b.contains(r.out, "gives up 10 offsets; the partition ends at 100")
		b.contains(b.mustRun("doctor", dir, "--repair", how, "--dry-run"), "in     0          "+how)
		if r := b.run("doctor", dir, "--repair", how); r.code != 2 || !strings.Contains(r.err, "Give up "+want.lost+" of 1 partition? Nobody is here to answer") {
			t.Errorf("without --yes: exit %d, %s", r.code, r.err)
		}
		unchanged(t, dir, before)

		var done []doctor.Mended
		b.decode(b.mustRun("doctor", dir, "--repair", how, "--topic", "in", "--partition", "0", "--yes", "-o", "json"), &done)
		if len(done) != 1 || done[0].Error != "" {
			t.Fatalf("%+v", done)
		}
		if kept, err := os.ReadFile(filepath.Join(done[0].Aside, filepath.Base(name))); err != nil || !bytes.Equal(kept, damaged) {
			t.Errorf("what was damaged is not in %s: %v", done[0].Aside, err)
		}
		out := b.mustRun("doctor", dir, "--verify")
		b.contains(out, "repaired")
		kafka, _, stop := serve(t, dir)
		b.addr = kafka
		got := b.mustRun("consume", "in", "-p", "0", "--to", "end", "-f", "%o")
		if n := strings.Count(got, "\n"); n != want.count {
			t.Errorf("%s: %d records are served, want %d", how, n, want.count)
		}
		b.stdin = "new\n"
		b.mustRun("produce", "in", "-p", "0")
		b.same(b.mustRun("consume", "in", "-p", "0", "--from", "-1", "--to", "end", "-f", "%o %v"), want.next+" new\n")
		stop()
	}
}

// Our own segments are in Kafka's format: they can be read without the directory
// around them.
func TestDoctorReadsSegments(t *testing.T) {
	t.Parallel()
	dir := filledDir(t)
	b := &bench{t: t}
	var found []partitionCheck
	b.decode(b.mustRun("doctor", "--segments", filepath.Join(dir, "logs"), "-o", "json"), &found)
	var records int64
	for _, p := range found {
		records += p.Records
	}
	if records < 100 || len(found) < 2 {
		t.Errorf("%+v", found)
	}
	name := segmentOf(t, dir, "in")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := b.run("doctor", "--segments", filepath.Join(dir, "logs")); r.code != 1 || !strings.Contains(r.err, "partitions failed") || !strings.Contains(r.out, "(offsets 50 to 59)") {
		t.Errorf("exit %d, %s\n%s", r.code, r.err, r.out)
	}
}
