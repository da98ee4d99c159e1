//go:build !linux

package wire

import (
	"net"
	"syscall"

	"github.com/leatdev/leat/internal/vfs"
)

// rawSocket is nil: here answers are copied.
func rawSocket(net.Conn) syscall.RawConn { return nil }

func (o *outgoing) sendRaw(syscall.RawConn, bool) error { return vfs.ErrNoSend }
