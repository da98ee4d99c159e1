package leatproc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a program under test with its standard streams.
type Process struct {
	Name  string
	Stdin io.WriteCloser
	// Stdout yields the lines of standard output. It is closed at their end. Read
	// it: a program whose output nobody reads stands still.
	Stdout <-chan string

	cmd   *exec.Cmd
	tail  tail
	ended chan struct{}
	err   error // read after ended
}

// Run starts a program in its own process group; it is killed at the latest when the test ends.
func Run(t testing.TB, dir, name string, args ...string) *Process {
	t.Helper()
	return RunFramed(t, readLine, dir, name, args...)
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// RunFramed is Run for programs whose output is not made of lines: read takes one
// piece of it. A piece that comes with an error is dropped if it is empty.
func RunFramed(t testing.TB, read func(*bufio.Reader) (string, error), dir, name string, args ...string) *Process {
	t.Helper()
	p := &Process{Name: name + " " + strings.Join(args, " "), ended: make(chan struct{})}
	p.tail.changed = make(chan struct{})
	p.cmd = exec.Command(name, args...)
	p.cmd.Dir = dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err1 := p.cmd.StdinPipe()
	stdout, err2 := p.cmd.StdoutPipe()
	stderr, err3 := p.cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3, p.cmd.Start()); err != nil {
		t.Fatalf("%s does not start: %v", p.Name, err)
	}
	p.Stdin = stdin
	lines := make(chan string, 4096)
	p.Stdout = lines
	var streams sync.WaitGroup
	streams.Go(func() {
		defer close(lines)
		r := bufio.NewReaderSize(stdout, 1<<20)
		for {
			line, err := read(r)
			if line != "" || err == nil {
				select {
				case lines <- line:
				case <-t.Context().Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	streams.Go(func() {
		s := bufio.NewScanner(stderr)
		s.Buffer(nil, 4<<20)
		for s.Scan() {
			p.tail.add(s.Text())
		}
	})
	go func() {
		streams.Wait()
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() { p.Kill() })
	return p
}

// Pid is the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Kill ends the program and its children with SIGKILL and waits for its end.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// Signal sends the program a signal.
func (p *Process) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s: signal %v: %v\n%s", p.Name, s, err, p.Tail())
	}
}

// Ended is closed when the program has ended; Wait tells how.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Wait waits for the program's end, its output being read by others, and returns how it ended.
func (p *Process) Wait(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("%s: %w\n%s", p.Name, p.err, p.Tail())
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s has not ended after %v\n%s", p.Name, within, p.Tail())
	}
}

// Logged waits for a line on standard error that contains the words and returns it.
func (p *Process) Logged(t testing.TB, words string, within time.Duration) string {
	t.Helper()
	line, err := p.logged(words, within)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func (p *Process) logged(words string, within time.Duration) (string, error) {
	deadline := time.After(within)
	for seen := 0; ; {
		lines, n, changed := p.tail.since(seen)
		seen = n
		for _, line := range lines {
			if strings.Contains(line, words) {
				return line, nil
			}
		}
		select {
		case <-changed:
		case <-p.ended:
			return "", fmt.Errorf("%s ended before it said %q: %v\n%s", p.Name, words, p.err, p.Tail())
		case <-deadline:
			return "", fmt.Errorf("%s has not said %q after %v\n%s", p.Name, words, within, p.Tail())
		}
	}
}

// Has tells whether a line on standard error contains the words by now.
func (p *Process) Has(words string) bool {
	lines, _, _ := p.tail.since(0)
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, words) })
}

// Tail is the end of what the program wrote to standard error.
func (p *Process) Tail() string {
	lines, _, _ := p.tail.since(0)
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// tail keeps the last lines of standard error.
type tail struct {
	mu      sync.Mutex
	lines   []string
	dropped int
	changed chan struct{}
}

const keptLines = 5000

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > keptLines {
		t.lines = t.lines[keptLines/2:]
		t.dropped += keptLines / 2
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// since returns the lines after the n-th, how many there are by now, and a channel
// that is closed when there are more.
func (t *tail) since(n int) ([]string, int, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := max(0, n-t.dropped)
	return append([]string(nil), t.lines[at:]...), t.dropped + len(t.lines), t.changed
}
