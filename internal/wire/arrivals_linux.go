package wire

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// arrivals reads what comes on a connection, and tells whether it was there already
// when it was asked for.
type arrivals struct {
	nc  net.Conn
	raw syscall.RawConn // of nc; nil where there is none

	// waited: the newest read has waited for its bytes. Always false without raw.
	waited bool

	step func(fd uintptr) bool // a read in the system's hands, bound once
	into []byte
	n    int
	err  error
}

func newArrivals(nc net.Conn, raw syscall.RawConn) (a arrivals) {
	return arrivals{nc: nc, raw: raw}
}

// Read implements io.Reader. One goroutine reads at a time.
func (a *arrivals) Read(b []byte) (int, error) {
	if a.raw == nil || len(b) == 0 {
		return a.nc.Read(b)
	}
	if a.step == nil {
		a.step = a.try
	}
	a.into, a.waited = b, false
	err := a.raw.Read(a.step)
	a.into = nil
	switch {
	case err != nil:
		return 0, err
	case a.err != nil:
		return 0, os.NewSyscallError("read", a.err)
	case a.n == 0:
		return 0, io.EOF
	}
	return a.n, nil
}

// try makes one system call that reads; false says to wait until there is something.
func (a *arrivals) try(fd uintptr) bool {
	for {
		a.n, a.err = unix.Read(int(fd), a.into)
		switch a.err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			a.waited = true
			return false
		}
		return true
	}
}
