//go:build !linux

package wire

import (
	"net"
	"syscall"
)

// arrivals reads what comes on a connection. Here it cannot tell whether it had to wait.
type arrivals struct {
	net.Conn
	waited bool // never
}

func newArrivals(nc net.Conn, _ syscall.RawConn) arrivals { return arrivals{Conn: nc} }
