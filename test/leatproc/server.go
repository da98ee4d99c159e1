package leatproc

import (
	"fmt"
	"math/rand/v2"
	"net"
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

// The range that ports are taken from. It lies below the one that the system
// gives to outgoing connections: while a broker is away, none of its clients'
// own connections can sit on its port, and none can connect to itself.
const (
	firstPort = 20000
	lastPort  = 32000
)

// FreeAddr is a host:port of the loopback interface that nobody listens at, and
// that nobody gets by chance while the listener is away.
func FreeAddr(t testing.TB) string {
	t.Helper()
	var err error
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort))
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatalf("no port from %d to %d is free: %v", firstPort, lastPort, err)
	return ""
}

// running is the line that says a broker is ready.
const running = "Transitioning from RECOVERY to RUNNING"

// Serve starts a broker on an empty directory with further arguments of `leat
// serve` and waits until it is ready.
func Serve(t testing.TB, args ...string) *Server {
	t.Helper()
	s := New(t, "./cmd/leat", t.TempDir(), args...)
	s.Start(t)
	return s
}

// New is a broker that is not started yet: a program (a package of the
// repository that is called as `leat serve` is), its data directory, and further
// arguments.
func New(t testing.TB, program, data string, args ...string) *Server {
	t.Helper()
	return Of(t, Build(t, program), data, args...)
}

// Of is New for a program that is built already.
func Of(t testing.TB, bin, data string, args ...string) *Server {
	t.Helper()
	s := &Server{bin: bin, Data: data, Addr: FreeAddr(t), args: args}
	t.Cleanup(func() {
		if t.Failed() && s.Process != nil {
			t.Logf("the broker's last lines:\n%s", s.Tail())
		}
	})
	return s
}

// Start starts the broker, again on the same data and address if it ran before.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.TryStart(t); err != nil {
		t.Fatal(err)
	}
}

// TryStart is Start for a broker that may refuse; it returns why.
func (s *Server) TryStart(t testing.TB) error {
	t.Helper()
	s.Launch(t)
	_, err := s.logged(running, 30*time.Second)
	return err
}

// Launch is Start without the wait until the broker is ready.
func (s *Server) Launch(t testing.TB) {
	t.Helper()
	args := append([]string{"serve", "--data", s.Data, "--listen", s.Addr}, s.args...)
	s.Process = Run(t, "", s.bin, args...)
}

// Ready waits until the broker that was launched serves.
func (s *Server) Ready(t testing.TB) {
	t.Helper()
	s.Logged(t, running, 30*time.Second)
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
