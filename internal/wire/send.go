package wire

import (
	"errors"
	"net"
	"sync"
	"syscall"

	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// copySize is how many bytes of records are in memory at a time on their way to a
// connection that cannot take them from the log itself.
const copySize = 64 << 10

var copies = sync.Pool{New: func() any { return new([copySize]byte) }}

// sendTo writes all of it to the connection. arm is called to set the deadline anew
// whenever some of it has gone: a slow client that goes on reading is not cut off.
// However long it takes, no memory of the log waits for it. raw is rawSocket of nc.
func (o *outgoing) sendTo(nc net.Conn, raw syscall.RawConn, arm func()) error {
	for !o.done() {
		arm()
		if raw != nil {
			err := o.sendRaw(raw, false)
			if !errors.Is(err, vfs.ErrNoSend) {
				if err != nil {
					return err
				}
				continue
			}
		}
		if h := o.head(); len(h) > 0 {
			n, err := nc.Write(h)
			o.took(n)
			if err != nil {
				return err
			}
			continue
		}
		if err := o.copyTo(nc, o.records()); err != nil {
			return err
		}
	}
	return nil
}

// copyTo writes some of the records by way of memory.
func (o *outgoing) copyTo(nc net.Conn, r *plog.Records) error {
	buf := copies.Get().(*[copySize]byte)
	defer copies.Put(buf)
	n := min(len(buf), r.Size()-o.sentOfRecords)
	if _, err := r.ReadAt(buf[:n], int64(o.sentOfRecords)); err != nil {
		return err
	}
	n, err := nc.Write(buf[:n])
	o.took(n)
	return err
}
