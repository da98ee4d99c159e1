package exec

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// Reasons for which a call ends without its answers.
var (
	errTimeout = errors.New("no answer within the time limit")
	errEnded   = errors.New("ended")
)

// call sends the lines to the slot's child, starting one if there is none, and
// reads their answers. A child that fails in any way is killed: what it would
// write next could not be told from the answer to another line.
func (m *model) call(ctx context.Context, s *slot, lines []request) ([]pipeline.Result, error) {
	if s.child != nil {
		if why := s.child.unusable(); why != nil {
			m.log.Warn("model process replaced", "pid", s.child.pid, "why", m.redact.Quote([]byte(why.Error())))
			s.child.kill(0)
			s.child = nil
		}
	}
	if s.child == nil {
		c, err := m.start()
		if err != nil {
			s.failures++
			where := ""
			if m.cfg.Dir != "" { // of a folder that is not there, the error names the program only
				where = " in " + m.cfg.Dir
			}
			return nil, m.failed(worker.Outage, fmt.Errorf("cannot start%s: %w", where, err))
		}
		s.child = c
	}
	c := s.child
	sent := c.send(lines)
	results, err := m.receive(ctx, s, lines)
	if err == nil {
		<-sent.done // all lines were answered, so all were written
		return results, nil
	}
	s.child = nil
	patience := time.Duration(0)
	if errors.Is(err, errEnded) {
		patience = time.Second // its output has ended; let it say how it ends itself
	}
	c.kill(patience)
	<-sent.done
	if ctx.Err() == nil && !errors.Is(err, errClosed) {
		s.failures++
	}
	switch {
	case errors.Is(err, errEnded) && !c.answered && c.unread == sent.written.Load():
		// It never looked at its input, so no record is to blame.
		return nil, m.failed(worker.Outage, fmt.Errorf("cannot start: process %d %s before it read a line%s", c.pid, c.state(), m.lastWords(c)))
	case errors.Is(err, errEnded):
		err = fmt.Errorf("process %d %s before it answered%s", c.pid, c.state(), m.lastWords(c))
	case errors.Is(err, errTimeout):
		err = fmt.Errorf("process %d gave %w and was killed%s", c.pid, err, m.lastWords(c))
	}
	return nil, m.failed(worker.Retriable, err)
}

// receive reads the answers to lines.
func (m *model) receive(ctx context.Context, s *slot, lines []request) ([]pipeline.Result, error) {
	limit := m.cfg.Timeout
	if !s.child.answered {
		limit += m.cfg.Start
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	results := make([]pipeline.Result, 0, len(lines))
	for _, want := range lines {
		select {
		case line, ok := <-s.child.lines:
			if !ok {
				return nil, s.child.whyNoMore()
			}
			result, err := readAnswer(line, want.id)
			if err != nil {
				return nil, fmt.Errorf("%s: %s", m.redact.Quote([]byte(err.Error())), m.redact.Quote(line))
			}
			if e := (*worker.Error)(nil); errors.As(result.Err, &e) {
				e.Err = fmt.Errorf("exec %s: %s", m.cfg.Name, m.redact.Quote([]byte(e.Err.Error())))
			}
			if !s.child.answered {
				s.child.answered = true
				limit = m.cfg.Timeout
				timer.Reset(limit)
			}
			s.failures = 0
			results = append(results, result)
		case <-timer.C:
			return nil, fmt.Errorf("%w of %s", errTimeout, limit)
		case <-ctx.Done():
			return nil, fmt.Errorf("cut short: %w", ctx.Err())
		case <-m.closing:
			return nil, errClosed
		}
	}
	return results, nil
}

// sending is the writing of a call's lines to a child.
type sending struct {
	done    chan struct{}
	written atomic.Int64 // bytes
}

// send writes the lines in a goroutine of its own: a child may answer the first
// before it reads the last, and neither pipe is endless.
func (c *child) send(lines []request) *sending {
	s := &sending{done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for _, l := range lines {
			n, err := c.stdin.Write(l.line)
			s.written.Add(int64(n))
			if err != nil {
				return // the child is gone, which its closed output says, too
			}
		}
	}()
	return s
}

// lastWords quotes the last line on standard error, where programs say why they end.
func (m *model) lastWords(c *child) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastError == "" {
		return ""
	}
	return "; last line on its standard error: " + c.lastError
}
