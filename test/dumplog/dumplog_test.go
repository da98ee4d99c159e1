package dumplog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// libs is where Kafka's jars are. Without Java or the jars the test is skipped
// by name, or fails where LEAT_REQUIRE is set.
func libs(t *testing.T) string {
	t.Helper()
	missing := func(format string, args ...any) {
		if os.Getenv("LEAT_REQUIRE") != "" {
			t.Fatalf(format, args...)
		}
		t.Skipf("SKIPPED Kafka's DumpLogSegments: "+format, args...)
	}
	if _, err := exec.LookPath("java"); err != nil {
		missing("there is no java")
	}
	dir := os.Getenv("LEAT_KAFKA_LIBS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			missing("no cache directory: %v", err)
		}
		dir = filepath.Join(cache, "leat", "kafka-4.3.1")
	}
	if jars, _ := filepath.Glob(filepath.Join(dir, "kafka_2.13-*.jar")); len(jars) == 0 {
		missing("there are no jars in %s: ./run.sh install fetches them", dir)
	}
	return dir
}

// tool runs Kafka's DumpLogSegments.
func tool(t *testing.T, libs string, args ...string) (string, error) {
	args = append([]string{"-Xmx256m", "-cp", filepath.Join(libs, "*"), "org.apache.kafka.tools.DumpLogSegments"}, args...)
	out, err := exec.CommandContext(t.Context(), "java", args...).CombinedOutput()
	return string(out), err
}

// dump runs it on files that it must be able to read.
func dump(t *testing.T, libs string, args ...string) string {
	t.Helper()
	out, err := tool(t, libs, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// complaints are words by which the tool says that something is wrong.
var complaints = []string{"Mismatches", "Found timestamp mismatch", "Index timestamp", "out of order", "Could not", "isvalid: false", "isValid: false", "not valid", "invalid bytes", "Exception", "corrupt", "non-consecutive"}

// complaint is what the tool finds wrong; empty when nothing is.
func complaint(out string) string {
	for _, c := range complaints {
		if i := strings.Index(out, c); i >= 0 {
			return out[max(0, i-200):min(len(out), i+400)]
		}
	}
	return ""
}

// write fills a data directory through a clean stop and a kill, with segments
// that roll, every codec, large batches and times out of order, stops it
// cleanly, and returns the partition's directory and its values by offset.
func write(t *testing.T) (dir string, want map[int64]string) {
	t.Helper()
	data := t.TempDir() + "/data"
	rng := rand.New(rand.NewPCG(1, 2))
	cfg := plog.DefaultConfig()
	cfg.SegmentBytes, cfg.IndexInterval = 100<<10, 1000
	id := plog.ID{Topic: kafka.UUID{0: 9}}
	want = map[int64]string{}
	for epoch := int32(1); epoch <= 3; epoch++ {
		s, _, err := plog.Open(plog.Options{FS: vfs.OS{}, Dir: data, Salt: 5, Epoch: epoch, WALFileSize: 4 << 20, DirectBytes: 32 << 10})
		if err != nil {
			t.Fatal(err)
		}
		submit := func(op plog.Op) plog.Result {
			rs, pos, err := s.Submit(op)
			if err == nil {
				err = s.Wait(context.Background(), pos)
			}
			if err != nil {
				t.Fatal(err)
			}
			return rs[0]
		}
		l := s.Log(id)
		if l == nil {
			l = submit(plog.Create(id, "dumped", cfg)).Log
		}
		l.SetConfig(cfg)
		for i := range 120 {
			var rs []kafka.Record
			for range 1 + rng.IntN(5) {
				size := rng.IntN(2000)
				if rng.IntN(40) == 0 {
					size = 60 << 10
				}
				rs = append(rs, kafka.Record{
					Timestamp: 1_700_000_000_000 + int64(1000*i+rng.IntN(5000)), Key: fmt.Appendf(nil, "key-%d", i),
					Value: fmt.Appendf(nil, "%d-%d-%s", epoch, i, strings.Repeat("v", size)),
				})
			}
			codec := kafka.Codec(rng.IntN(5))
			r := submit(plog.Append(l, kafka.Build(kafka.BatchSpec{Codec: codec}, rs)))
			for j, rec := range rs {
				want[r.Base+int64(j)] = string(rec.Value)
			}
			if rng.IntN(25) == 0 {
				if err := s.Checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if epoch == 2 {
			s.Abandon() // the next start recovers
		} else if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	logs, err := filepath.Glob(data + "/logs/*/0")
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	return logs[0], want
}

func TestKafkaReadsOurSegments(t *testing.T) {
	libs := libs(t)
	dir, want := write(t)
	files := func(suffix string) string {
		names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
		if err != nil || len(names) < 3 {
			t.Fatalf("%s: %v, %v", suffix, names, err)
		}
		slices.Sort(names)
		return strings.Join(names, ",")
	}
	outs := map[string]string{
		"log":                dump(t, libs, "--files", files(".log"), "--deep-iteration", "--print-data-log"),
		"index":              dump(t, libs, "--files", files(".index"), "--verify-index-only"),
		"index sanity":       dump(t, libs, "--files", files(".index"), "--index-sanity-check"),
		"time index":         dump(t, libs, "--files", files(".timeindex"), "--verify-index-only"),
		"time index, sanity": dump(t, libs, "--files", files(".timeindex"), "--index-sanity-check"),
	}
	for what, out := range outs {
		if c := complaint(out); c != "" {
			t.Errorf("%s: Kafka complains: %s", what, c)
		}
	}
	if n := strings.Count(outs["index sanity"], "passed sanity check"); n != strings.Count(files(".index"), ",")+1 {
		t.Errorf("%d indexes passed the sanity check:\n%s", n, outs["index sanity"])
	}
	// Every record, where it should be, with what it should hold.
	got := 0
	for line := range strings.Lines(outs["log"]) {
		rest, ok := strings.CutPrefix(line, "| offset: ")
		if !ok {
			continue
		}
		var offset int64
		if _, err := fmt.Sscan(rest, &offset); err != nil {
			t.Fatal(line)
		}
		_, value, _ := strings.Cut(rest, "payload: ")
		if strings.TrimSuffix(value, "\n") != want[offset] {
			t.Fatalf("offset %d: %.100s, want %.60s", offset, line, want[offset])
		}
		got++
	}
	if got != len(want) {
		t.Errorf("Kafka reads %d records of %d", got, len(want))
	}
}

// The tool does complain when there is reason to: wrong places in the offset
// index, wrong times in the time index, a flipped bit in a batch.
func TestKafkaComplainsWhenThereIsReason(t *testing.T) {
	libs := libs(t)
	dir, _ := write(t)
	for suffix, at := range map[string]int64{".index": 6, ".timeindex": 6, ".log": 200} {
		name := filepath.Join(dir, fmt.Sprintf("%020d%s", 0, suffix))
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		data[at] ^= 0x10
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		args := []string{"--files", name, "--verify-index-only"}
		if suffix == ".log" {
			args = []string{"--files", name, "--deep-iteration"}
		}
		if out, err := tool(t, libs, args...); err == nil && complaint(out) == "" {
			t.Errorf("a wrong byte in the %s and no complaint:\n%s", suffix, out)
		}
		data[at] ^= 0x10
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
