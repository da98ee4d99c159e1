//go:build !linux

package wire

import (
	"net"
	"syscall"
)

// arrivals reads what comes on a connection. Here it cannot tell whether it was there
// already.
type arrivals struct {
	net.Conn
	waited bool // never
}

func (a *arrivals) init(nc net.Conn, _ syscall.RawConn) { a.Conn = nc }

func (a *arrivals) none() bool { return false }
