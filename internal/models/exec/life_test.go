//go:build unix

package exec

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os"
	osexec "os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

func TestConfigErrors(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"command:":   func(c *Config) { c.Command = nil },
		"env:":       func(c *Config) { c.Env = map[string]string{"A=B": "hidden"} },
		"processes:": func(c *Config) { c.Processes = -1 },
		"timeout:":   func(c *Config) { c.Timeout = -1 },
		"start:":     func(c *Config) { c.Start = -1 },
		"grace:":     func(c *Config) { c.Grace = -1 },
		"backoff:":   func(c *Config) { c.MaxBackoff = -1 },
		"line":       func(c *Config) { c.MaxLine = -1 },
	} {
		cfg := config("pid")
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("New: %v, want an error that says %q", err, want)
		}
	}
}

func TestWhatCannotStartIsAnOutage(t *testing.T) {
	missing := config("")
	missing.Command = []string{"no-such-program-anywhere"}
	_, err := ask(t, newModel(t, missing), "a", 1)
	wantClass(t, err, worker.Outage, "exec child: cannot start", "no-such-program-anywhere")

	nowhere := config("pid")
	nowhere.Dir = "/no/such/folder"
	_, err = ask(t, newModel(t, nowhere), "a", 1)
	wantClass(t, err, worker.Outage, "/no/such/folder")

	// It starts, but ends without a look at its input: nothing of the record's.
	m := newModel(t, config("fails to load"))
	for range 3 {
		_, err = ask(t, m, "a", strings.Repeat("longer than the pipe holds ", 10_000))
		wantClass(t, err, worker.Outage, "exit status 2", "before it read a line", "ImportError: no module named torch")
	}
}

func TestAChildThatDiesOfARecordIsThatRecordsAndReplaced(t *testing.T) {
	m := newModel(t, config("suite"))
	m.cfg.Env["LEAT_TEST_IDS"] = t.TempDir() + "/ids"
	for range 2 {
		// Even as the very first line of a new child: it did read it.
		_, err := ask(t, m, "a", "!die")
		wantClass(t, err, worker.Retriable, "exit status 3", "before it answered", "dying with [redacted]")
		if v, err := ask(t, m, "b", 7.0); v != 7.0 || err != nil {
			t.Errorf("after a death: %v, %v", v, err)
		}
		s := <-m.free
		if s.failures != 0 {
			t.Errorf("%d failures in a row after an answer: the back-off would grow for ever", s.failures)
		}
		m.free <- s
	}
}

// A child that has worked can start; that it ends between two lines is its call's failure.
func TestAChildThatHasAnsweredIsNoOutage(t *testing.T) {
	m := newModel(t, config("leaves the second"))
	for range 2 {
		v, err := ask(t, m, "a", 1)
		pidOf(t, v, err)
		_, err = ask(t, m, "b", 1)
		wantClass(t, err, worker.Retriable, "exit status 4", "before it answered")
	}
}

func TestCloseEndsACallUnderWay(t *testing.T) {
	var out log
	cfg := config("suite")
	cfg.Timeout, cfg.Logger = time.Hour, slog.New(slog.NewTextHandler(&out, nil))
	ids := t.TempDir() + "/ids"
	cfg.Env["LEAT_TEST_IDS"] = ids
	m := newModel(t, cfg)
	failed := make(chan error)
	go func() {
		_, err := m.Predict(context.Background(), []pipeline.Input{{ID: "a", Value: "!hang"}})
		failed <- err
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for seen := ""; seen == ""; <-tick.C { // until the child has the record
		b, _ := os.ReadFile(ids)
		seen = string(b)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, errClosed) || worker.ClassOf(err) != worker.Retriable {
		t.Errorf("the call's error is %v", err)
	}
	if n := alive(t, &out); n != 0 {
		t.Errorf("%d children are left", n)
	}
}

// A child that ended between two calls costs none of them anything.
func TestAChildThatEndsWhileIdleIsReplacedInSilence(t *testing.T) {
	m := newModel(t, config("one answer"))
	v, err := ask(t, m, "a", 1)
	first := pidOf(t, v, err)
	s := <-m.free
	<-s.child.finished
	m.free <- s
	v, err = ask(t, m, "b", 1)
	if second := pidOf(t, v, err); second == first || !gone(first) {
		t.Errorf("process %d, then %d", first, second)
	}
}

func TestChildrenAreKeptAndUsedAtOnce(t *testing.T) {
	cfg := config("pid")
	cfg.Processes = 2
	m := newModel(t, cfg)
	seen := map[int]int{}
	for range 6 { // one after the other: the two take turns
		v, err := ask(t, m, "a", 1)
		seen[pidOf(t, v, err)]++
	}
	if len(seen) != 2 {
		t.Errorf("calls by process: %v, want two processes", seen)
	}
}

func TestBackoffGivesCallsToTheOtherChildren(t *testing.T) {
	cfg := config("suite")
	cfg.Processes, cfg.Backoff, cfg.MaxBackoff = 2, time.Hour, time.Hour
	cfg.Env["LEAT_TEST_IDS"] = t.TempDir() + "/ids"
	m := newModel(t, cfg)
	_, err := ask(t, m, "a", "!die")
	wantClass(t, err, worker.Retriable)
	for range 3 {
		if v, err := ask(t, m, "b", 7.0); v != 7.0 || err != nil {
			t.Fatalf("the other child: %v, %v", v, err)
		}
	}
	// Both out of service: the call waits as long as its context does, and Close does not wait.
	_, err = ask(t, m, "a", "!die")
	wantClass(t, err, worker.Retriable)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = m.Predict(ctx, []pipeline.Input{{ID: "c"}})
	wantClass(t, err, worker.Retriable, "waiting for a child")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v does not wrap the context's error", err)
	}
}

func TestBackoffDoublesUpToItsBound(t *testing.T) {
	cfg := config("pid")
	cfg.Backoff, cfg.MaxBackoff = 100*time.Millisecond, time.Second
	m := newModel(t, cfg)
	for failures, want := range map[int]time.Duration{0: 0, 1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 4: 800 * time.Millisecond, 5: time.Second, 100: time.Second} {
		if got := m.backoff(failures); got != want {
			t.Errorf("after %d failures: %s, want %s", failures, got, want)
		}
	}
}

func TestCloseEndsTheStubborn(t *testing.T) {
	for role, says := range map[string]string{"pid": "exit status 0", "terminated": "leaving by SIGTERM", "stubborn": "signal: killed"} {
		var out log
		cfg := config(role)
		cfg.Grace, cfg.Logger = 50*time.Millisecond, slog.New(slog.NewTextHandler(&out, nil))
		if role == "pid" {
			cfg.Grace = time.Minute // it must not need any
		}
		m := newModel(t, cfg)
		v, err := ask(t, m, "a", 1)
		pid := pidOf(t, v, err)
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if !gone(pid) {
			t.Errorf("%s: process %d is left", role, pid)
		}
		if !strings.Contains(out.String(), says) {
			t.Errorf("%s: the log does not say %q:\n%s", role, says, out.String())
		}
		if _, err := ask(t, m, "b", 1); !errors.Is(err, errClosed) {
			t.Errorf("%s: Predict after Close: %v", role, err)
		}
	}
}

func TestWhatTheChildStartedEndsWithIt(t *testing.T) {
	if _, err := osexec.LookPath("sleep"); err != nil {
		t.Skip("not run: there is no sleep")
	}
	m := newModel(t, config("grandchild"))
	v, err := ask(t, m, "a", 1)
	pid := pidOf(t, v, err)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	waitGone(t, pid) // init reaps it
}

// waitGone waits until the process is gone. It is not our child: nothing
// signals its end, and it may stay a zombie where nobody reaps orphans.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !gone(pid) && !zombie(pid) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, after, found := strings.Cut(string(stat), ") ")
	return err == nil && found && after[0] == 'Z'
}

// A child that heeds neither the end of its input nor SIGTERM does not outlive
// a parent that is killed without a chance to say anything.
func TestKillingTheParentLeavesNoChild(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not run: only Linux ends children with their parent")
	}
	parent := osexec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "LEAT_TEST_CHILD=parent", "TOKEN=x")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid := atoi(t, line)
	if gone(pid) || zombie(pid) {
		t.Fatalf("child %d is not there before", pid)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitGone(t, pid)
}

func TestStandardErrorIsLogged(t *testing.T) {
	var out log
	cfg := config("stderr")
	cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
	m := newModel(t, cfg)
	if _, err := ask(t, m, "a", 1); err != nil {
		t.Fatal(err)
	}
	_, err := ask(t, m, "b", 1) // it ends without an answer
	wantClass(t, err, worker.Retriable, "last words")
	for _, want := range []string{"warming up", "with key [redacted]", strings.Repeat("y", 8000), "last words", "model=child", "pid="} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log does not say %.40q", want)
		}
	}
	if strings.Contains(out.String(), secret) {
		t.Error("the log shows the secret")
	}
}

func TestDir(t *testing.T) {
	cfg := config("dir")
	cfg.Dir = t.TempDir()
	if v, err := ask(t, newModel(t, cfg), "a", 1); err != nil || v != cfg.Dir {
		t.Errorf("runs in %v, %v; want %s", v, err, cfg.Dir)
	}
}
