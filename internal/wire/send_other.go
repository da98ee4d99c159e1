//go:build !linux

package wire

import (
	"net"
	"syscall"
)

// rawSocket is nil: here answers are copied.
func rawSocket(net.Conn) syscall.RawConn { return nil }

func (o *outgoing) sendRaw(net.Conn, syscall.RawConn, func()) error {
	panic("sendRaw without a raw socket")
}
