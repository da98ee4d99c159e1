package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/server"
)

// killedDir is a data directory whose server ended without a stop, with values in one
// partition of the topic in that stand in the write-ahead log alone.
func killedDir(t *testing.T, values ...string) string {
	t.Helper()
	dir := t.TempDir()
	s, err := server.Start(t.Context(), server.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(s.ClientOpts(), kgo.DefaultProduceTopic("in"), kgo.AllowAutoTopicCreation())...)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if err := cl.ProduceSync(t.Context(), kgo.StringRecord(v)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	cl.Close()
	s.Abandon()
	return dir
}

// flipWAL inverts a bit where the text stands in the write-ahead log.
func flipWAL(t *testing.T, dir, text string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "wal", "*.wal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(data, []byte(text)); at >= 0 {
			data[at] ^= 1
			if err := os.WriteFile(name, data, 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%q is nowhere", text)
}

// A fenced partition is told of wherever somebody looks: before the start, at the
// start, by the metrics, by topic describe; and it can be made whole.
func TestFencedPartitionIsShown(t *testing.T) {
	t.Parallel()
	dir := killedDir(t, "alpha-0", "alpha-1", "alpha-2", "alpha-3")
	flipWAL(t, dir, "alpha-1")
	before := treeBytes(t, dir)
	b := &bench{t: t}
	r := b.run("doctor", dir)
	if r.code != 1 {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	b.contains(r.out, "not stopped properly: the next start recovers")
	b.contains(r.out, "in     0          0      1    1         75     fenced")
	b.contains(r.out, "gives up 1 offset, 2 records come back from the copy of the write-ahead log; the partition ends at 4")
	unchanged(t, dir, before)

	log, ended, stop := start(t, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--log-format", "json", "--http", ":0")
	if m := log.until(t, ended, "partition is fenced"); m["topic"] != "in" || m["level"] != "ERROR" {
		t.Errorf("%v", m)
	}
	b.addr, _ = log.until(t, ended, "Transitioning from RECOVERY to RUNNING")["listeners"].(string)
	web, _ := log.until(t, ended, "HTTP is open")["addr"].(string)
	b.contains(get(t, "http://"+web+"/metrics"), "\nleat_fenced_partitions 1\n")
	b.contains(b.mustRun("topic", "describe", "in"), "KAFKA_STORAGE_ERROR")
	stop()

	r = b.run("doctor", dir)
	b.contains(r.out, "fenced, neither read nor written")
	b.mustRun("doctor", dir, "--repair", "keep", "--yes")
	kafka, _, stop := serve(t, dir)
	b.addr = kafka
	b.same(b.mustRun("consume", "in", "--to", "end", "-f", "%o %v"), "0 alpha-0\n2 alpha-2\n3 alpha-3\n")
	stop()
}

// A torn tail is no damage: it is told of before it is cut, and after.
func TestDoctorTellsOfATornTail(t *testing.T) {
	t.Parallel()
	dir := killedDir(t, "alpha-0", "alpha-1")
	flipWAL(t, dir, "alpha-1")
	b := &bench{t: t}
	out := b.mustRun("doctor", dir)
	b.contains(out, "bytes, never acknowledged as durable: the next start cuts them")
	b.contains(out, fmt.Sprintf("in    0          %d     1      1", 75))
	_, _, stop := serve(t, dir)
	stop()
	out = b.mustRun("doctor", dir)
	b.contains(out, "torn")
	b.contains(out, "1-1")
}

// Damage of the write-ahead log that nobody can attribute refuses the start; the
// choices are shown, and each goes on from there.
func TestDoctorGivesUpWhatNobodyCanAttribute(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]string{"cut": "0 alpha-0\n", "keep": "0 alpha-0\n2 alpha-2\n3 alpha-3\n"} {
		dir := killedDir(t, "alpha-0", "alpha-1", "alpha-2", "alpha-3")
		flipFrameHeader(t, dir, "alpha-1")
		b := &bench{t: t}
		if r := b.run("serve", "--listen", "127.0.0.1:0", "--data", dir); r.code != 1 {
			t.Fatalf("exit %d, %s", r.code, r.err)
		}
		before := treeBytes(t, dir)
		r := b.run("doctor", dir)
		if r.code != 1 {
			t.Errorf("exit %d", r.code)
		}
		b.contains(r.out, "State       cannot be started")
		b.contains(r.out, "--repair cut ")
		b.contains(r.err, "nobody can tell any more which partitions")
		if r := b.run("doctor", dir, "--repair", how); r.code != 2 {
			t.Errorf("exit %d, %s", r.code, r.err)
		}
		unchanged(t, dir, before)
		b.mustRun("doctor", dir, "--repair", how, "--yes")
		kafka, _, stop := serve(t, dir)
		b.addr = kafka
		b.same(b.mustRun("consume", "in", "--to", "end", "-f", "%o %v"), want)
		stop()
	}
}

// flipFrameHeader hurts the header of the frame whose batch holds the text: its one
// record's value stands 68 bytes behind the frame's header.
func flipFrameHeader(t *testing.T, dir, text string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "wal", "*.wal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(data, []byte(text)); at >= 0 {
			data[at-68-20] ^= 1
			if err := os.WriteFile(name, data, 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%q is nowhere", text)
}
