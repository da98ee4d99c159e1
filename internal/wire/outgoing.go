package wire

import (
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// outgoing is what a connection is about to write: answers in a buffer, and
// records between them that were not copied.
type outgoing struct {
	buf     []byte
	splices []splice
	spliced int // bytes in splices

	all  net.Buffers // what pieces returned
	left net.Buffers // what of it is not written; WriteTo eats it
}

// add puts an answer behind the others. Its records must not change until it is
// written.
func (o *outgoing) add(correlationID int32, resp kmsg.Response) {
	if f, ok := resp.(*kmsg.FetchResponse); ok {
		n := len(o.splices)
		buf, splices, ok := appendFetch(o.buf, o.splices, correlationID, f)
		if ok {
			o.buf, o.splices = buf, splices
			for _, s := range splices[n:] {
				o.spliced += len(s.data)
			}
			return
		}
	}
	o.buf = appendReply(o.buf, correlationID, resp)
}

func (o *outgoing) size() int { return len(o.buf) + o.spliced }

// pieces is the whole of it, in order.
func (o *outgoing) pieces() *net.Buffers {
	o.all = pieces(o.all[:0], o.buf, o.splices)
	o.left = o.all
	return &o.left
}

// pieces appends to bufs the parts of b with the splices between them.
func pieces(bufs net.Buffers, b []byte, splices []splice) net.Buffers {
	at := 0
	for _, s := range splices {
		bufs = append(bufs, b[at:s.at], s.data)
		at = s.at
	}
	return append(bufs, b[at:])
}

// reset forgets everything, so that nothing written is kept alive.
func (o *outgoing) reset() {
	clear(o.splices)
	clear(o.all)
	*o = outgoing{splices: o.splices[:0], all: o.all[:0]}
}
