package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/plog"
)

// fetchAnswer is an answer to Fetch whose records are not in it: they go from the log to
// the socket when it is their turn.
type fetchAnswer struct {
	*kmsg.FetchResponse
	// records are those of the partitions, in the order of the answer.
	records []plog.Records
}

func (f *fetchAnswer) release() {
	for i := range f.records {
		f.records[i].Release()
	}
}

// splice is a place in an output buffer where records go that are not copied into it.
type splice struct {
	at      int // they follow buf[:at]
	records *plog.Records
}

// outgoing is what a connection is about to write: answers in a buffer, and records
// between them.
type outgoing struct {
	buf     []byte
	splices []splice
	spliced int // bytes in splices

	// How far it has been sent: up to buf[sent], and of the records that follow there
	// so many bytes.
	sent, sentOfRecords int
	next                int // the splice that comes next
}

// add puts an answer behind the others. An error says that its records are not to be
// had any more.
func (o *outgoing) add(correlationID int32, resp kmsg.Response) error {
	if s, ok := resp.(*shareFetchAnswer); ok {
		n := len(o.splices)
		buf, splices, err := appendShareFetch(o.buf, o.splices, correlationID, s)
		if err != nil {
			return err
		}
		o.buf, o.splices = buf, splices
		for _, s := range splices[n:] {
			o.spliced += s.records.Size()
		}
		return nil
	}
	var records []plog.Records
	f, ok := resp.(*kmsg.FetchResponse)
	if with, is := resp.(*fetchAnswer); is {
		f, records, ok = with.FetchResponse, with.records, true
	}
	if ok {
		n := len(o.splices)
		buf, splices, done, err := appendFetch(o.buf, o.splices, correlationID, f, records)
		if err != nil {
			return err
		}
		if done {
			o.buf, o.splices = buf, splices
			for _, s := range splices[n:] {
				o.spliced += s.records.Size()
			}
			return nil
		}
		resp = f
	}
	if p, ok := resp.(*kmsg.ProduceResponse); ok {
		if buf, done := appendProduce(o.buf, correlationID, p); done {
			o.buf = buf
			return nil
		}
	}
	o.buf = appendReply(o.buf, correlationID, resp)
	return nil
}

func (o *outgoing) size() int { return len(o.buf) + o.spliced }

// head returns the bytes of the buffer that come next, up to the next records.
func (o *outgoing) head() []byte {
	if o.next < len(o.splices) {
		return o.buf[o.sent:o.splices[o.next].at]
	}
	return o.buf[o.sent:]
}

// records returns the records that come after head; nil when none do.
func (o *outgoing) records() *plog.Records {
	if o.next < len(o.splices) {
		return o.splices[o.next].records
	}
	return nil
}

// done reports whether all of it is sent.
func (o *outgoing) done() bool { return o.next == len(o.splices) && o.sent == len(o.buf) }

// took notes that n more bytes are sent. Records that are sent whole are let go of.
func (o *outgoing) took(n int) {
	for n > 0 {
		h := min(n, len(o.head()))
		o.sent, n = o.sent+h, n-h
		r := o.records()
		if n == 0 || r == nil {
			return
		}
		b := min(n, r.Size()-o.sentOfRecords)
		o.sentOfRecords, n = o.sentOfRecords+b, n-b
		if o.sentOfRecords == r.Size() {
			r.Release()
			o.sentOfRecords = 0
			o.next++
		}
	}
}

// reset forgets everything, so that nothing is kept alive or open.
func (o *outgoing) reset() {
	for _, s := range o.splices {
		s.records.Release()
	}
	clear(o.splices)
	*o = outgoing{splices: o.splices[:0]}
}
