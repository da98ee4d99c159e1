// Package proc runs brokers as processes of their own and reads from /proc what
// they use. It works on Linux only, as the whole benchmark does.
package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopTimeout is how long a broker may take to stop after SIGTERM.
const stopTimeout = 30 * time.Second

// Process is a started broker. Its methods are for one goroutine at a time.
type Process struct {
	cmd    *exec.Cmd
	log    string
	ended  chan struct{} // closed when it has ended
	err    error         // how, read after ended
	paused bool
	pid    int
}

// Start starts the command with its output in the file log, which it appends to.
// The process dies with this one.
func Start(cmd *exec.Cmd, log string) (*Process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the child has its own
	cmd.Stdout, cmd.Stderr = f, f
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &Process{cmd: cmd, log: log, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal comes when the thread ends that started the process: this
		// goroutine keeps it until the process has ended.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

// Pid is the process id of the broker.
func (p *Process) Pid() int { return p.pid }

// Adopt takes a descendant of that name for the broker: what was started is a
// script that waits for it.
func (p *Process) Adopt(name string) error {
	for parents := []int{p.cmd.Process.Pid}; len(parents) > 0; parents = parents[1:] {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", parents[0]))
		if err != nil {
			return err
		}
		for _, f := range strings.Fields(string(children)) {
			child, err := strconv.Atoi(f)
			if err != nil {
				return err
			}
			comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", child))
			if err != nil {
				return err
			}
			if strings.TrimSpace(string(comm)) == name {
				p.pid = child
				return nil
			}
			parents = append(parents, child)
		}
	}
	return fmt.Errorf("process %d has no descendant %q", p.cmd.Process.Pid, name)
}

// Ended is closed when the process has ended, by itself or not.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Err tells how the process ended; nil is exit code 0. Only after Ended.
func (p *Process) Err() error { return p.err }

// Pause stops the process where it is (SIGSTOP), so that it uses no CPU.
func (p *Process) Pause() error {
	p.paused = true
	return syscall.Kill(p.pid, syscall.SIGSTOP)
}

// Resume lets a paused process go on.
func (p *Process) Resume() error {
	if !p.paused {
		return nil
	}
	p.paused = false
	return syscall.Kill(p.pid, syscall.SIGCONT)
}

// Stop ends the process, kindly first. Stopping an ended one is no error.
func (p *Process) Stop() error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	_ = syscall.Kill(p.pid, syscall.SIGTERM) // it may be ending by itself
	_ = p.Resume()
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopTimeout):
		p.Kill()
		return fmt.Errorf("%s did not stop within %v", p.cmd.Path, stopTimeout)
	}
}

// Kill ends the process at once (SIGKILL) and waits for its end.
func (p *Process) Kill() {
	select {
	case <-p.ended:
		return
	default:
	}
	_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may be ending by itself
	<-p.ended
}

// Tail is the end of what the process wrote, for messages about it.
func (p *Process) Tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// Alive is nil while the process runs, else says how it ended.
func (p *Process) Alive() error {
	select {
	case <-p.ended:
		err := p.err
		if err == nil {
			err = errors.New("exit code 0")
		}
		return fmt.Errorf("the broker ended by itself: %w\n%s", err, p.Tail())
	default:
		return nil
	}
}
