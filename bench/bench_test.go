package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/bench/internal/limit"
	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/report"
	"github.com/leatdev/leat/bench/internal/work"
)

// The bare loops run in processes of their own: this program, called again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == limit.Command {
		if err := limit.Child(os.Args[2]); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"--smoke"})
	if err != nil || o.rounds != 1 || o.sizes.Window != work.Smoke.Window || o.out != "" || !slices.Contains(o.peers, "kafka") {
		t.Errorf("smoke: %+v, %v", o, err)
	}
	o, err = parse(nil)
	if err != nil || o.rounds != 5 || o.out != "." || !slices.Equal(o.peers, peers.Names()) {
		t.Errorf("a whole run: %+v, %v", o, err)
	}
	o, err = parse([]string{"--only", "sync64,consume", "--peers", "leat", "--big-log-gb", "2"})
	if err != nil || o.out != "" || !slices.Equal(o.only, []string{"sync64", "consume"}) || !slices.Equal(o.peers, []string{"leat"}) || o.sizes.BigLog != 2<<30 {
		t.Errorf("a part: %+v, %v", o, err)
	}
	for _, bad := range [][]string{{"--rounds", "0"}, {"extra"}, {"--only", "nosuch"}, {"--window", "0s"}, {"--big-log-gb", "0"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestUnknownPeer(t *testing.T) {
	t.Parallel()
	if _, _, err := peers.Find(t.Context(), t.TempDir(), []string{"pulsar"}); err == nil || !strings.Contains(err.Error(), "pulsar") {
		t.Error(err)
	}
}

// Every row names peers that exist, and has something to run.
func TestRows(t *testing.T) {
	t.Parallel()
	rows, _ := work.Rows()
	for _, r := range rows {
		for _, n := range slices.Concat(r.Peers, r.Fresh, r.Slow) {
			if !slices.Contains(peers.Names(), n) {
				t.Errorf("row %s: there is no peer %q", r.Name, n)
			}
		}
		if (r.Measure == nil) == (r.Alone == nil) {
			t.Errorf("row %s has neither or both of Measure and Alone", r.Name)
		}
		if !slices.Contains(r.Peers, "leat") {
			t.Errorf("row %s is not about leat", r.Name)
		}
	}
}

// A run that was interrupted has raw.json: the report is made from it.
func TestReportAgain(t *testing.T) {
	dir := t.TempDir()
	run := report.Run{Date: time.Unix(0, 0).UTC(), Rounds: 1, Command: "go run .", Results: []work.Result{
		{Row: "start", Peer: "leat", Durability: "fsync before the ack", Round: 1, Values: map[string]float64{work.ReadyMS: 7}}}}
	raw := filepath.Join(dir, "raw.json")
	b, err := json.Marshal(run)
	if err == nil {
		err = os.WriteFile(raw, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := again([]string{"--from", raw, "--out", dir}); err != nil {
		t.Fatal(err)
	}
	md, err := os.ReadFile(filepath.Join(dir, "REPORT.md"))
	if err != nil || !strings.Contains(string(md), "| start | empty: < 10 ms | 7.00 | reached |") {
		t.Errorf("%v\n%s", err, md)
	}
	if err := again([]string{"--from", filepath.Join(dir, "nosuch.json"), "--out", dir}); err == nil {
		t.Error("a report of nothing")
	}
}

// Each bare loop does what its name says, in a process of its own.
func TestLoops(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []limit.Loop{limit.Fdatasync, limit.GroupCommit, limit.Write, limit.Echo, limit.Receive, limit.ReceiveLog, limit.ReceiveAcked, limit.Sendfile, limit.Pread} {
		o, err := limit.Run(t.Context(), exe, limit.Job{Loop: l, Dir: t.TempDir(), For: time.Millisecond, Size: 3 << 20, Cold: l == limit.Pread})
		if err != nil || o.Ops == 0 || o.Bytes == 0 || o.Seconds <= 0 || o.CPU <= 0 {
			t.Errorf("%s: %+v, %v", l, o, err)
		}
		withLatency := l == limit.Fdatasync || l == limit.GroupCommit || l == limit.Echo
		if withLatency != (len(o.Latencies) > 0) || !slices.IsSorted(o.Latencies) {
			t.Errorf("%s: %d latencies", l, len(o.Latencies))
		}
		if (l == limit.Sendfile || l == limit.Pread) && o.Bytes%(3<<20) != 0 {
			t.Errorf("%s sent %d bytes of a file of 3 MiB", l, o.Bytes)
		}
	}
	if _, err := limit.Run(t.Context(), exe, limit.Job{Loop: "nosuch"}); err == nil {
		t.Error("an unknown loop is run")
	}
}
