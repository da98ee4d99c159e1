package life

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Signals returns a context that ends on the first SIGINT or SIGTERM, so that
// the caller drains. A second one calls exit with 128 + the signal's number, as
// a shell reports it. The returned stop gives the signals back to the system.
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

// twoStages is Signals without the operating system.
func twoStages(c <-chan os.Signal, done <-chan struct{}, drain func(), exit func(int)) {
	select {
	case <-c:
		drain()
	case <-done:
		return
	}
	select {
	case s := <-c:
		code := 1
		if n, ok := s.(syscall.Signal); ok {
			code = 128 + int(n)
		}
		exit(code)
	case <-done:
	}
}
