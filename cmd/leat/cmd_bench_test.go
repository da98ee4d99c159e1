package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestBench(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var r benchResult
	b.decode(b.mustRun("bench", "produce", "-n", "500", "-s", "50", "--warmup", "0s", "--sync", "--producers", "3", "--linger", "0s", "--topic", "x", "-o", "json"), &r)
	if r.Kind != "produce" || r.Records != 500 || r.Bytes != 25000 || r.Producers != 3 || !r.Sync || r.Acks != "all" || r.AckLatency.Count != 500 {
		t.Errorf("%+v", r)
	}
	b.contains(b.mustRun("topic", "list", "x"), "x      4           500\n")

	r = benchResult{}
	b.decode(b.mustRun("bench", "consume", "--topic", "x", "--pid", strconv.Itoa(os.Getpid()), "-o", "json"), &r)
	if r.Kind != "consume" || r.Records != 500 || r.Bytes != 25000 || r.AckLatency != nil {
		t.Errorf("%+v", r)
	}

	r = benchResult{}
	b.decode(b.mustRun("bench", "latency", "--topic", "x", "--rate", "500", "--duration", "100ms", "--warmup", "10ms", "-o", "json"), &r)
	if r.Records == 0 || r.EndToEnd == nil || r.EndToEnd.Count != uint64(r.Records) || r.Rate != 500 {
		t.Errorf("%+v", r)
	}

	out := b.mustRun("bench", "produce", "-n", "10", "--warmup", "0s", "--topic", "x")
	if !regexp.MustCompile(`^produce: 10 records in [0-9.]+ s: [0-9]+ records/s, [0-9.]+ MB/s\nLATENCY_MS +P50 `).MatchString(out) {
		t.Errorf("%s", out)
	}
}

func TestBenchRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		args string
		code int
	}{
		{"bench produce --duration 0s", 2},
		{"bench produce -n -1", 2},
		{"bench produce --acks 3", 2},
		{"bench latency --rate 0", 2},
		{"bench latency --size 8", 2},
		{"bench consume --topic none", 1},
		{"bench produce --pid 1073741824 -n 1 --warmup 0s", 1},
		{"bench walk", 2},
	} {
		if r := b.run(strings.Fields(c.args)...); r.code != c.code || r.out != "" {
			t.Errorf("leat %s: exit %d, stdout %q, %s", c.args, r.code, r.out, r.err)
		}
	}
}
