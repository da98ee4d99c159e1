package life

import (
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestTwoStages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := make(chan os.Signal)
		drained := make(chan struct{})
		var codes []int
		go twoStages(c, make(chan struct{}), func() { close(drained) }, func(n int) { codes = append(codes, n) })
		c <- syscall.SIGINT
		<-drained
		c <- syscall.SIGINT // its echo
		synctest.Wait()
		if len(codes) > 0 {
			t.Fatalf("the first signal exits with %d", codes)
		}
		<-time.After(echo)
		c <- syscall.SIGTERM
		synctest.Wait()
		if len(codes) != 1 || codes[0] != 143 {
			t.Errorf("the second signal exits with %d, want 143", codes)
		}
	})
}

func TestSignalsDrainsOnSIGTERM(t *testing.T) {
	ctx, stop := Signals(context.Background(), func(int) { t.Error("exit called") })
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
}
