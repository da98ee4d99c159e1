package wire

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// arrivals reads what comes on a connection, and tells whether it was there already
// when it was asked for. One goroutine at a time uses it.
type arrivals struct {
	nc  net.Conn
	raw syscall.RawConn // of nc; nil where there is none

	// waited: the newest read has waited for its bytes. Always false without raw.
	waited bool

	// For the calls that the functions below make, which are bound once.
	into    []byte
	n       int
	err     error
	tryRead func(fd uintptr) bool
	tryLook func(fd uintptr)
}

func (a *arrivals) init(nc net.Conn, raw syscall.RawConn) {
	a.nc, a.raw, a.tryRead, a.tryLook = nc, raw, a.readOnce, a.lookOnce
}

// Read implements io.Reader.
func (a *arrivals) Read(b []byte) (int, error) {
	if a.raw == nil || len(b) == 0 {
		return a.nc.Read(b)
	}
	a.into, a.waited = b, false
	err := a.raw.Read(a.tryRead)
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

// readOnce is one system call; false says to wait until there is something.
func (a *arrivals) readOnce(fd uintptr) bool {
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

// none reports whether nothing has come that is not read yet. Always false without raw.
func (a *arrivals) none() bool {
	return a.raw != nil && a.raw.Control(a.tryLook) == nil && a.err == nil && a.n == 0
}

func (a *arrivals) lookOnce(fd uintptr) { a.n, a.err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }
