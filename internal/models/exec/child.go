package exec

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"runtime"
	"sync"
	"time"
)

// child is one process with its pipes.
type child struct {
	pid      int
	cmd      *osexec.Cmd
	answered bool // it has answered a line in its life; of the slot's owner

	stdin *os.File // write end
	// stdinRead is our copy of the child's end: what is left in it when the
	// child is gone was never read.
	stdinRead *os.File
	lines     chan []byte   // its standard output; closed when there is no more
	drop      chan struct{} // closed when nobody takes lines any more
	dropOnce  sync.Once
	tooLong   error // set before lines is closed
	exited    chan struct{}
	finished  chan struct{} // exited, and its output read to the end
	unread    int64         // bytes of its input that it never read; valid once it is gone

	// reaping guards signals: once the process is reaped its id may be another's.
	reaping sync.Mutex
	reaped  bool

	mu        sync.Mutex
	lastError string // last line on standard error, fit to quote
}

// start starts a child and the goroutines that read its output.
func (m *model) start() (*child, error) {
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		closeAll(inR, inW)
		return nil, err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		closeAll(inR, inW, outR, outW)
		return nil, err
	}
	cmd := osexec.Command(m.cfg.Command[0], m.cfg.Command[1:]...)
	cmd.Dir, cmd.Env = m.cfg.Dir, environment(os.Environ(), m.cfg.Env)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, errW
	ownGroup(cmd)
	c := &child{
		cmd: cmd, stdin: inW, stdinRead: inR,
		lines: make(chan []byte), drop: make(chan struct{}),
		exited: make(chan struct{}), finished: make(chan struct{}),
	}
	started := make(chan error)
	go func() {
		// The kernel sends a child its parent-death signal when the *thread* that
		// started it ends. This goroutine keeps its thread for the child's life.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		c.wait()
		close(c.exited)
	}()
	err = <-started
	closeAll(outW, errW) // the child has its own
	if err != nil {
		closeAll(inR, inW, outR, errR)
		return nil, err
	}
	c.pid = cmd.Process.Pid
	m.log.Info("model process started", "pid", c.pid)
	var readers sync.WaitGroup
	readers.Go(func() { c.readLines(outR, m.cfg.MaxLine) })
	readers.Go(func() { m.copyErrors(c, errR) })
	go func() {
		<-c.exited
		// A grandchild that left the group may hold the pipes open for ever.
		deadline := time.Now().Add(time.Second)
		_, _ = outR.SetReadDeadline(deadline), errR.SetReadDeadline(deadline)
		readers.Wait()
		closeAll(outR, errR)
		m.log.Info("model process ended", "pid", c.pid, "state", c.cmd.ProcessState.String())
		close(c.finished)
	}()
	return c, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close() // pipes of ours
	}
}

// readLines hands the child's lines on until its output ends or a line is too long.
func (c *child) readLines(r *os.File, limit int) {
	defer close(c.lines)
	// The longest line that the reader finds whole is its buffer's size; longer
	// ones are put together here.
	br := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > limit+1 {
			c.tooLong = fmt.Errorf("a line on standard output is longer than %d bytes", limit)
			return
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return // a last line without its end is not an answer: the child died in it
		}
		select {
		case c.lines <- line:
		case <-c.drop:
			_, _ = io.Copy(io.Discard, br) // let it end without blocking on its output
			return
		}
		line = nil
	}
}

// unusable says why the child cannot take a call, nil if it can. It is asked
// between calls, when nothing is due.
func (c *child) unusable() error {
	select {
	case line, ok := <-c.lines:
		if !ok {
			return c.whyNoMore()
		}
		return fmt.Errorf("it printed a line that nobody asked for: %s", line)
	default:
		return nil
	}
}

// whyNoMore says why lines is closed.
func (c *child) whyNoMore() error {
	if c.tooLong != nil {
		return c.tooLong
	}
	return errEnded
}

// state says how the process ended; valid once it is gone.
func (c *child) state() string { return "ended with " + c.cmd.ProcessState.String() }

// kill ends the child's whole process group and returns when it is gone. The
// child has this long to end by itself before.
func (c *child) kill(patience time.Duration) {
	c.stopReading()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		c.signal(killGroup)
	}
	c.cleanUp()
}

// end closes the child's input and waits; then SIGTERM and waits; then SIGKILL.
func (c *child) end(grace time.Duration) {
	c.stopReading()
	_ = c.stdin.Close()
	for _, send := range []func(*os.Process){terminateGroup, killGroup} {
		timer := time.NewTimer(grace)
		select {
		case <-c.exited:
		case <-timer.C:
			c.signal(send)
		}
		timer.Stop()
	}
	c.cleanUp()
}

func (c *child) signal(send func(*os.Process)) {
	c.reaping.Lock()
	defer c.reaping.Unlock()
	if !c.reaped {
		send(c.cmd.Process)
	}
}

// wait returns when the process has ended, what it left in its group has been
// killed, and it is reaped.
func (c *child) wait() {
	unreaped := waitUnreaped(c.cmd.Process)
	if !unreaped {
		_ = c.cmd.Wait() // how it ended is in ProcessState
	}
	c.reaping.Lock()
	defer c.reaping.Unlock()
	killGroup(c.cmd.Process)
	if unreaped {
		_ = c.cmd.Wait()
	}
	c.reaped = true
}

func (c *child) stopReading() { c.dropOnce.Do(func() { close(c.drop) }) }

func (c *child) cleanUp() {
	_ = c.stdin.Close() // ends a write that waits for a reader, too
	<-c.finished
	c.unread, _ = io.Copy(io.Discard, c.stdinRead) // the write end is closed, so it ends
	_ = c.stdinRead.Close()
}
