package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/pflag"
)

// logLines is a writer that hands out the JSON log lines it is given.
type logLines struct {
	mu    sync.Mutex
	rest  []byte
	lines chan map[string]any
}

func newLogLines() *logLines { return &logLines{lines: make(chan map[string]any, 1000)} }

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		l.rest = rest
		var m map[string]any
		if json.Unmarshal(line, &m) != nil {
			m = map[string]any{"msg": string(line)}
		}
		l.lines <- m
	}
}

// until returns the first line whose message contains msg.
func (l *logLines) until(t *testing.T, ended <-chan int, msg string) map[string]any {
	t.Helper()
	for {
		select {
		case m := <-l.lines:
			if s, _ := m["msg"].(string); strings.Contains(s, msg) {
				return m
			}
		case code := <-ended:
			t.Fatalf("ended with %d before %q; stderr: %v", code, msg, l.drain())
		}
	}
}

func (l *logLines) drain() (out []any) {
	for {
		select {
		case m := <-l.lines:
			out = append(out, m["msg"])
		default:
			return out
		}
	}
}

// start runs a long-running command; stop interrupts it and returns its exit code.
func start(t *testing.T, args ...string) (log *logLines, ended chan int, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, ended = newLogLines(), make(chan int, 1)
	b := &bench{t: t, addr: "127.0.0.1:1"}
	w := b.world(nil, nil)
	w.Out, w.Err = io.Discard, log
	go func() { ended <- run(ctx, w, args) }()
	return log, ended, func() int { cancel(); return <-ended }
}

// serve is `leat serve` on dir; it returns where it listens.
func serve(t *testing.T, dir string, more ...string) (kafka, web string, stop func() int) {
	t.Helper()
	log, ended, stop := start(t, append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--log-format", "json", "--http", ":0"}, more...)...)
	kafka, _ = log.until(t, ended, "Transitioning from RECOVERY to RUNNING")["listeners"].(string)
	web, _ = log.until(t, ended, "HTTP is open")["addr"].(string)
	return kafka, web, stop
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d %s %v", url, resp.StatusCode, body, err)
	}
	return string(body)
}

// What was written before a stop is there after the next start.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kafka, web, stop := serve(t, dir, "-c", "num.partitions=3")
	b := &bench{t: t, addr: kafka, stdin: "one\ntwo\n"}
	b.same(b.mustRun("produce", "in", "-k", "k"), "2 records produced\n")
	b.contains(b.mustRun("topic", "list"), "in     3           2\n")
	b.contains(get(t, "http://"+web+"/readyz"), `"ready":true`)
	metrics := get(t, "http://"+web+"/metrics")
	b.contains(metrics, `kafka_topic_partitions{topic="in"} 3`)
	b.contains(metrics, `kafka_broker_info{address="`+kafka+`",id="1"} 1`)
	if code := stop(); code != 0 {
		t.Fatalf("interrupted: exit %d", code)
	}

	kafka, _, stop = serve(t, dir)
	b.addr = kafka
	b.same(b.mustRun("consume", "in", "--to", "end", "-f", "%k %v"), "k one\nk two\n")
	if code := stop(); code != 0 {
		t.Fatalf("interrupted: exit %d", code)
	}
}

// One data directory, one process.
func TestServeRefusesASecondProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, _, stop := serve(t, dir)
	defer stop()
	b := &bench{t: t}
	r := b.run("serve", "--data", dir, "--listen", "127.0.0.1:0")
	if r.code != 1 || !strings.Contains(r.err, dir) {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	taken := b.addr
	bad := filepath.Join(t.TempDir(), "leat.yaml")
	if err := os.WriteFile(bad, []byte("data: x\nlistne: y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"serve --durability maybe", "want fsync or relaxed", 2},
		{"serve -c num.partitions", "want NAME=VALUE", 2},
		{"serve --config " + bad, "line 2: field listne is not a setting (data,", 2},
		{"serve --config nowhere.yaml", "nowhere.yaml", 2},
		{"serve --log-level loud", "debug, info, warn, error", 2},
		{"serve extra", "these arguments do not fit: it is `leat serve`", 2},
		{"serve --data " + t.TempDir() + " --listen " + taken, "--listen", 1},
		{"serve --listen 127.0.0.1:0 -c num.partitions=none --data " + t.TempDir(), "num.partitions", 1},
	} {
		r := b.run(strings.Fields(c.args)...)
		if r.code != c.code || r.out != "" {
			t.Errorf("leat %s: exit %d, %s", c.args, r.code, r.err)
		}
		b.contains(r.err, c.want)
	}
}

// The order is flag, file, default; -c goes over the file's configs one by one.
func TestBrokerOptions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "leat.yaml")
	if err := os.WriteFile(path, []byte("data: /from/file\nhttp: :1\nconfigs: {num.partitions: 4, log.retention.ms: 5}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var o brokerOptions
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.addFlags(f)
	if err := f.Parse([]string{"--config", path, "--http", ":2", "-c", "log.retention.ms=6"}); err != nil {
		t.Fatal(err)
	}
	if err := o.complete(f); err != nil {
		t.Fatal(err)
	}
	if o.data != "/from/file" || o.http != ":2" || o.listen != defaultListen || o.configs["num.partitions"] != "4" || o.configs["log.retention.ms"] != "6" {
		t.Errorf("%+v", o)
	}

	o = brokerOptions{}
	f = pflag.NewFlagSet("", pflag.ContinueOnError)
	o.addFlags(f)
	if err := f.Parse([]string{"-c", "listeners=PLAINTEXT://:0"}); err != nil {
		t.Fatal(err)
	}
	if err := o.complete(f); err != nil || o.listen != "" {
		t.Errorf("listeners=... does not stand in for --listen: %+v, %v", o, err)
	}
}
