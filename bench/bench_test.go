package main

import (
	"context"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	self := func(x float64) float64 { return x }
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{5}, 5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.in, self); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.in, got, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := report{Date: "2026-01-15", Machine: "2 x Chip, linux, go1", Rounds: 3, Settle: "1s", Skipped: []string{"kafka: no java"}}
	ms := []measurement{{20, 30e6, .01}, {10, 32e6, .03}, {60, 31e6, .02}}
	r.Peers = []peerLine{{"leat", "v1", medians(ms), ms}}
	var b strings.Builder
	if err := r.markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| leat | 20.0 | 10.0 to 60.0 | 31.0 | 0.02 | v1 |\n",
		"ready in under 50 ms: reached; idle under 40 MB: reached.",
		"Skipped: kafka: no java.",
		"2026-01-15, 2 x Chip, linux, go1. Medians of 3 starts",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	r.Peers[0].Median.ReadyMS = 50
	b.Reset()
	if err := r.markdown(&b); err != nil || !strings.Contains(b.String(), "ready in under 50 ms: not reached") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestAskMetadata(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := askMetadata(t.Context(), c.ListenAddrs()[0]); err != nil {
		t.Error("a broker:", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // something that is no broker
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			conn.Close()
		}
	}()
	if err := askMetadata(t.Context(), l.Addr().String()); err == nil {
		t.Error("an HTTP server is taken for a broker")
	}
}

// A broker that ends before it is ready is an error with its last words.
func TestMeasureTellsLastWords(t *testing.T) {
	t.Parallel()
	p := peer{name: "x", prepare: emptyDir, command: func(string, int) *exec.Cmd { return exec.Command("sh", "-c", "echo no licence; exit 3") }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := measure(ctx, p, t.TempDir(), 0)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no licence") {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	if o, err := parse([]string{"--smoke"}); err != nil || o.rounds != 2 || o.settle != time.Second {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range [][]string{{"--rounds", "0"}, {"extra"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
