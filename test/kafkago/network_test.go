package kafkago

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// ownNetwork moves the calling goroutine, and the processes that it starts, to
// a network of their own that has the loopback interface alone: the suite
// knows one address, localhost:9092, and others may be at it. The goroutine keeps
// its thread, which ends with it. The error says why there is no such network.
func ownNetwork(t *testing.T) error {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatalf("the loopback interface of a network of its own: %v", err)
	}
	return nil
}
