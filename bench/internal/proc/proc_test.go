package proc

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(exec.Command("sh", "-c", script), filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// A broker that ends by itself is an error with its last words.
func TestLastWords(t *testing.T) {
	t.Parallel()
	p := start(t, "echo no licence; exit 3")
	<-p.Ended()
	if err := p.Alive(); err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no licence") {
		t.Error(err)
	}
	if err := p.Stop(); err != nil {
		t.Error("stopping what has ended:", err)
	}
}

func TestStopPaused(t *testing.T) {
	t.Parallel()
	p := start(t, "exec sleep 600")
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := p.Alive(); err != nil {
		t.Error("a paused broker:", err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if p.Err() == nil {
		t.Error("sleep ended by itself")
	}
}

// The CPU clock is the process's own, finer than a hundredth of a second, and only grows.
func TestUsage(t *testing.T) {
	t.Parallel()
	before, err := Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for began := Self(); Self()-began < 5*time.Millisecond; { // until it has used some
	}
	after, err := Read(os.Getpid())
	if err != nil || after.CPU-before.CPU < 5*time.Millisecond {
		t.Errorf("%v CPU used, %v", after.CPU-before.CPU, err)
	}
	if after.RSS <= 0 || after.Peak < after.Anonymous {
		t.Errorf("%+v", after)
	}
	idle := start(t, "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; echo worked; sleep 600")
	for idle.Tail() != "worked\n" {
		if err := idle.Alive(); err != nil {
			t.Fatal(err)
		}
	}
	u, err := Read(idle.Pid())
	if err != nil || u.CPU <= 0 || u.CPU >= after.CPU+time.Second {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := Read(1 << 30); err == nil {
		t.Error("a process that is not there")
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	p := start(t, "sleep 600 & echo started; wait")
	for p.Tail() != "started\n" {
		if err := p.Alive(); err != nil {
			t.Fatal(err)
		}
	}
	shell := p.Pid()
	for p.Adopt("sleep") != nil { // until the child has its own name
		if err := p.Alive(); err != nil {
			t.Fatal(err)
		}
	}
	if p.Pid() == shell {
		t.Error("the script is taken for the broker")
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
