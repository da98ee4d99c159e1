package vfs

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

var _ Sender = (*osFile)(nil)

// SendTo implements Sender by sendfile(2) with an offset of its own: several may
// send from one open file at the same time. net.TCPConn.ReadFrom does not fit, it
// moves the file's position.
func (o *osFile) SendTo(socket uintptr, off int64, n int) (int, error) {
	for {
		sent, err := unix.Sendfile(int(socket), int(o.f.Fd()), &off, n)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, err
		case err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOVERFLOW:
			return 0, ErrNoSend
		case err != nil:
			return 0, os.NewSyscallError("sendfile", err)
		case sent == 0 && n > 0:
			return 0, io.ErrUnexpectedEOF
		}
		return sent, nil
	}
}
