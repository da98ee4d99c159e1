package vfs

import "errors"

// Sender is a File whose bytes the system can put onto a socket by itself: they
// never pass through the process (sendfile). Not every File is one.
type Sender interface {
	File
	// SendTo sends at most n bytes from off on to a stream socket (its
	// descriptor, which does not block) and returns how many it took; the file has
	// no position that would move. It answers syscall.EAGAIN when the socket takes
	// none now, io.ErrUnexpectedEOF when the file ends before off, and ErrNoSend
	// when this file and this socket do not go together: read the bytes then.
	SendTo(socket uintptr, off int64, n int) (int, error)
}

// ErrNoSend says that the system cannot send this file itself.
var ErrNoSend = errors.New("the file cannot be sent without being read")
