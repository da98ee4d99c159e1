package leatproc

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a `leat serve` process on a data directory of its own.
type Server struct {
	*Process
	// Addr is its listener, host:port, the same after a restart.
	Addr string
	// Data is its data directory.
	Data string

	bin  string
	args []string
}

// running is the line that says a broker is ready.
const running = "Transitioning from RECOVERY to RUNNING"

// Serve starts a broker on an empty directory with further arguments of `leat
// serve` and waits until it is ready.
func Serve(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{bin: Build(t, "./cmd/leat"), Data: t.TempDir(), Addr: "127.0.0.1:0", args: args}
	s.Start(t)
	return s
}

// Start starts the broker, again on the same data and address if it ran before.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	args := append([]string{"serve", "--data", s.Data, "--listen", s.Addr}, s.args...)
	s.Process = Run(t, "", s.bin, args...)
	line := s.Logged(t, running, 30*time.Second)
	_, after, ok := strings.Cut(line, "listeners=")
	addr, _, _ := strings.Cut(after, " ")
	if _, _, err := net.SplitHostPort(addr); !ok || err != nil {
		t.Fatalf("the line names no listener: %s", line)
	}
	s.Addr = addr
}

// Stop ends the broker with SIGTERM; it must end by itself and say that all went well.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.Signal(t, syscall.SIGTERM)
	if err := s.Wait(30 * time.Second); err != nil {
		t.Fatalf("a stop with SIGTERM: %v", err)
	}
}

// Until waits for a condition that nothing announces: it asks again and again, and
// fails the test when it does not hold within the time. ok's error is why it does not yet.
func Until(t testing.TB, within time.Duration, what string, ok func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(within)
	for {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not after %v: %v", what, within, err)
		}
	}
}

// Atleast is a condition for Until.
func Atleast(got, want int) error {
	if got < want {
		return fmt.Errorf("%d of %d", got, want)
	}
	return nil
}
