package life

import (
	"context"
	"os"
	"syscall"
	"testing"
)

func TestTwoStages(t *testing.T) {
	t.Parallel()
	c := make(chan os.Signal)
	drained := make(chan struct{})
	code := make(chan int, 1)
	go twoStages(c, make(chan struct{}), func() { close(drained) }, func(n int) { code <- n })
	c <- syscall.SIGINT
	<-drained
	select {
	case n := <-code:
		t.Fatalf("the first signal exits with %d", n)
	default:
	}
	c <- syscall.SIGTERM
	if n := <-code; n != 143 {
		t.Errorf("second signal exits with %d, want 143", n)
	}
}

func TestSignalsDrainsOnSIGTERM(t *testing.T) {
	ctx, stop := Signals(context.Background(), func(int) { t.Error("exit called") })
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
}
