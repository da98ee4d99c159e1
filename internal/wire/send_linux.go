package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// rawSocket returns the connection's socket when bytes can be put onto it without
// being copied here; nil for others, such as connections within the process and TLS.
func rawSocket(nc net.Conn) syscall.RawConn {
	c, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// rearmAfter is how much is sent before the deadline is set anew.
const rearmAfter = 4 << 20

// gathered bounds what one writev is given: about what a socket's buffer takes.
const (
	gatherBytes  = 512 << 10
	gatherPieces = 16
	gatherSlices = 1024 // IOV_MAX
)

// wakeAhead is from how many bytes of a file on what is before them is sent by itself. It
// wakes the client, and while that wakes up the socket's buffer fills: from then on the
// client has something to read whenever it looks. Woken by the first bytes of the file it
// has read them before the next are there and sleeps again, and so on: every packet then
// pays for a wake-up, twice what it costs otherwise (docs/decisions/read-path.md).
const wakeAhead = 16 << 10

// rawSender puts an outgoing onto a socket: memory of the log by writev, ranges of its
// files by sendfile. It holds the memory only while a system call runs. While the
// socket is full it holds none.
type rawSender struct {
	out    *outgoing
	iov    [][]byte
	pieces [gatherPieces]plog.Piece
	used   int // of pieces
	moved  int
	once   bool // do not wait for the socket
	err    error
}

var rawSenders = sync.Pool{New: func() any { return new(rawSender) }}

// sendRaw sends some of an outgoing: at least rearmAfter bytes of it or all or, with
// once, what the socket takes without waiting. vfs.ErrNoSend says that the records that
// come next have to be copied.
func (o *outgoing) sendRaw(raw syscall.RawConn, once bool) error {
	s := rawSenders.Get().(*rawSender)
	s.out, s.once = o, once
	defer func() {
		s.letGo()
		s.out, s.err, s.moved = nil, nil, 0
		rawSenders.Put(s)
	}()
	if err := raw.Write(s.step); err != nil {
		return err
	}
	if once && errors.Is(s.err, vfs.ErrNoSend) {
		return nil
	}
	return s.err
}

// step sends until the socket is full (false: to be called again when it is not) or
// there is a reason to return.
func (s *rawSender) step(fd uintptr) bool {
	for !s.out.done() && s.moved < rearmAfter {
		n, err := s.some(int(fd))
		s.letGo()
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return s.once
		case err != nil:
			s.err = err
			return true
		}
		s.out.took(n)
		s.moved += n
	}
	return true
}

// some makes one system call that sends.
func (s *rawSender) some(fd int) (int, error) {
	file, err := s.gather()
	switch {
	case err != nil:
		return 0, err
	case len(s.iov) > 0 && file != nil:
		// A file follows: the kernel need not send what is before a few bytes by itself.
		flags := unix.MSG_NOSIGNAL | unix.MSG_MORE
		if file.Len >= wakeAhead {
			flags &^= unix.MSG_MORE
		}
		n, err := unix.SendmsgBuffers(fd, s.iov, nil, nil, flags)
		return n, sysError("sendmsg", err)
	case len(s.iov) > 0:
		n, err := unix.SendmsgBuffers(fd, s.iov, nil, nil, unix.MSG_NOSIGNAL)
		return n, sysError("sendmsg", err)
	}
	sender, ok := file.File.(vfs.Sender)
	if !ok {
		return 0, vfs.ErrNoSend
	}
	n, err := sender.SendTo(uintptr(fd), file.At, file.Len)
	return n, err
}

// gather collects memory that is to be sent, and the range of a file that follows it.
func (s *rawSender) gather() (file *plog.Piece, err error) {
	at := *s.out // goes ahead of what is sent
	for bytes := 0; s.used < gatherPieces && bytes < gatherBytes && len(s.iov)+plog.PieceSlices < gatherSlices; {
		if h := at.head(); len(h) > 0 {
			s.iov = append(s.iov, h)
			bytes += len(h)
			at.sent += len(h)
		}
		r := at.records()
		if r == nil {
			break
		}
		p := &s.pieces[s.used]
		if err := r.Piece(at.sentOfRecords, p); err != nil {
			if len(s.iov) > 0 && !errors.Is(err, io.EOF) {
				break // what is before it still goes out
			}
			return nil, err
		}
		s.used++
		if p.File != nil {
			return p, nil
		}
		for _, m := range p.Mem {
			s.iov = append(s.iov, m)
			bytes += len(m)
			at.sentOfRecords += len(m)
		}
		if at.sentOfRecords == r.Size() {
			at.sentOfRecords = 0
			at.next++
		}
	}
	return nil, nil
}

// letGo gives back the memory of the last call.
func (s *rawSender) letGo() {
	for i := range s.used {
		s.pieces[i].Done()
	}
	s.used = 0
	clear(s.iov)
	s.iov = s.iov[:0]
}

// sysError names the call in errors that end the connection.
func sysError(call string, err error) error {
	if err == nil || err == unix.EAGAIN || err == unix.EINTR {
		return err
	}
	return os.NewSyscallError(call, err)
}
