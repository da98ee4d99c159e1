package life

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Signals returns a context that ends on the first SIGINT or SIGTERM, so that
// the caller drains. A second one, at least echo later, calls exit with 128 + the
// signal's number, as a shell reports it. The returned stop gives the signals back
// to the system.
//
// exit is os.Exit in main.
func Signals(parent context.Context, exit func(code int)) (ctx context.Context, stop func()) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(parent)
	done := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(over)
		twoStages(c, done, cancel, exit)
	}()
	return ctx, func() {
		signal.Stop(c)
		close(done)
		<-over
		cancel()
	}
}

// echo is how soon after the first a signal is taken for the same one: timeout(1), and
// others that signal a process and then its group, send each one twice, and nobody has
// asked for an end without draining.
const echo = 200 * time.Millisecond

// twoStages is Signals without the operating system.
func twoStages(c <-chan os.Signal, done <-chan struct{}, drain func(), exit func(int)) {
	select {
	case <-c:
		drain()
	case <-done:
		return
	}
	first := time.Now()
	for {
		select {
		case s := <-c:
			if time.Since(first) < echo {
				continue
			}
			code := 1
			if n, ok := s.(syscall.Signal); ok {
				code = 128 + int(n)
			}
			exit(code)
			return
		case <-done:
			return
		}
	}
}
