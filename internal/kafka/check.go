package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// CheckOptions say what a produced batch must satisfy beyond what Check always
// asks. They come from the topic's configs.
type CheckOptions struct {
	// Keys asks for a key in every record (a compacted topic).
	Keys bool
	// Times is the range that record timestamps must lie in; nil = any.
	// Records without a timestamp (-1) always pass.
	Times *TimeRange
	// Limit is how many bytes a compressed batch may open to.
	Limit int64
}

// TimeRange is a closed range of timestamps, ms since 1970
// (message.timestamp.before.max.ms and .after.max.ms around now). The smallest Min
// is none.
type TimeRange struct{ Min, Max int64 }

// hasMin tells whether there is a lower limit; a batch's header does not say how
// old its oldest record is.
func (t *TimeRange) hasMin() bool { return t != nil && t.Min != math.MinInt64 }

func (t *TimeRange) holds(ts int64) bool {
	return t == nil || ts == noTimestamp || ts >= t.Min && ts <= t.Max
}

const noTimestamp = -1

// CheckResult is what Check learnt about a good batch.
type CheckResult struct {
	// MaxTimestamp is the largest timestamp of the records. Where it differs
	// from the header's, the broker puts it right with SetMaxTimestamp, as Kafka
	// does. For a compressed batch that was not opened it is the header's.
	MaxTimestamp int64
	// Opened says that the records were walked: always when they are not
	// compressed, else only when an option needed it.
	Opened bool
}

// Check tells whether a client may append the batch (Kafka's LogValidator):
// checksum, flags, counts and, uncompressed, every record. Compressed records
// are opened only when keys are asked for, the range has a lower limit, or the
// header's timestamps leave it. The batch must be one that NextBatch framed.
//
// The error is a *RecordsError when single records are at fault, else it wraps
// ErrBatchCRC, ErrBatchInvalid or a *kerr.Error; ErrorCode gives the code that
// the client gets for any of them.
func (b Batch) Check(o CheckOptions) (CheckResult, error) {
	res := CheckResult{MaxTimestamp: b.MaxTimestamp()}
	if err := b.VerifyCRC(); err != nil {
		return res, err
	}
	if err := b.checkHeader(); err != nil {
		return res, err
	}
	if b.Codec() == CodecNone {
		return b.checkRecords(b.Body(), o)
	}
	if !o.Keys && !o.Times.hasMin() && o.Times.holds(b.FirstTimestamp()) && o.Times.holds(b.MaxTimestamp()) {
		return res, nil
	}
	buf := openBuffers.Get().(*[]byte)
	defer openBuffers.Put(buf)
	body, err := decompress(*buf, b.Codec(), b.Body(), o.Limit)
	if cap(body) <= maxPooledBuffer {
		*buf = body[:0]
	}
	if err != nil {
		return res, err
	}
	return b.checkRecords(body, o)
}

// openBuffers are for batches that are opened, looked at and forgotten. Big
// ones are left to the collector, so that one large batch pins nothing.
var openBuffers = sync.Pool{New: func() any { return new([]byte) }}

const maxPooledBuffer = 1 << 20

func (b Batch) checkHeader() error {
	n := b.NumRecords()
	switch {
	case b.Magic() != 2:
		return fmt.Errorf("%w: magic %d", ErrBatchMagic, b.Magic())
	case b.Control():
		return fmt.Errorf("%w: clients may not write control records", ErrBatchInvalid)
	case b.Attributes()&attrDeleteHorizon != 0:
		return fmt.Errorf("%w: clients may not set a delete horizon", ErrBatchInvalid)
	case b.LogAppendTime():
		return fmt.Errorf("producers may not set the timestamp type LogAppendTime: %w", kerr.InvalidTimestamp)
	case !b.Codec().Known():
		return fmt.Errorf("%w: unknown compression %d", ErrBatchInvalid, b.Codec())
	case n <= 0:
		return fmt.Errorf("%w: it says it has %d records", ErrBatchInvalid, n)
	case b.LastOffsetDelta() != n-1:
		return fmt.Errorf("%w: last offset delta %d, but %d records", ErrBatchInvalid, b.LastOffsetDelta(), n)
	case b.ProducerID() >= 0 && (b.BaseSequence() < 0 || b.ProducerEpoch() < 0):
		return fmt.Errorf("%w: producer id %d with epoch %d and sequence %d", ErrBatchInvalid, b.ProducerID(), b.ProducerEpoch(), b.BaseSequence())
	case b.Transactional() && b.ProducerID() < 0:
		return fmt.Errorf("%w: transactional without a producer id", ErrBatchInvalid)
	}
	return nil
}

func (b Batch) checkRecords(body []byte, o CheckOptions) (CheckResult, error) {
	res := CheckResult{MaxTimestamp: noTimestamp, Opened: true}
	var bad *RecordsError
	var raw rawRecord
	w := walker{b: b, rest: body}
	count, first := b.NumRecords(), b.FirstTimestamp() // checkHeader takes no other kind of timestamps
	for {
		hasKey := false
		if n, ts, offset, key := skim(w.rest); n > 0 && w.index < count {
			w.rest, w.index = w.rest[n:], w.index+1
			raw.timestampDelta, raw.offsetDelta, hasKey = ts, offset, key
		} else if w.next(&raw) {
			hasKey = raw.key != nil
		} else {
			break
		}
		i := w.index - 1
		if raw.offsetDelta != i {
			return res, fmt.Errorf("%w: record %d has offset delta %d", ErrBatchInvalid, i, raw.offsetDelta)
		}
		ts := first + raw.timestampDelta
		res.MaxTimestamp = max(res.MaxTimestamp, ts)
		if o.Keys && !hasKey {
			bad = bad.add(i, "a record without a key cannot go to a compacted topic", false)
		}
		if !o.Times.holds(ts) {
			bad = bad.add(i, fmt.Sprintf("timestamp %d is not within %d and %d", ts, o.Times.Min, o.Times.Max), true)
		}
	}
	if w.err != nil {
		return res, w.err
	}
	if bad != nil {
		return res, bad
	}
	return res, nil
}

// SetMaxTimestamp corrects the header's largest timestamp and computes the
// checksum anew.
func (b Batch) SetMaxTimestamp(ts int64) {
	if ts == b.MaxTimestamp() {
		return
	}
	binary.BigEndian.PutUint64(b[offMaxTimestamp:], uint64(ts))
	b.setCRC()
}

// RecordsError says which records keep a batch out (KIP-467). Nothing of the
// batch is appended.
type RecordsError struct {
	// Records are the first of them, at most maxRecordErrors.
	Records []RecordError
	// Total counts all faults.
	Total int
	// Timestamp says that a timestamp is among the reasons, which decides the
	// code of the whole answer.
	Timestamp bool
}

// RecordError is one record's fault.
type RecordError struct {
	Index   int32 // the record's place in the batch
	Message string
}

// maxRecordErrors keeps an answer from growing with the bad input.
const maxRecordErrors = 100

// add notes a fault; the first one makes the error.
func (e *RecordsError) add(index int32, message string, timestamp bool) *RecordsError {
	if e == nil {
		e = &RecordsError{}
	}
	e.Total++
	e.Timestamp = e.Timestamp || timestamp
	if len(e.Records) < maxRecordErrors {
		e.Records = append(e.Records, RecordError{index, message})
	}
	return e
}

func (e *RecordsError) Error() string {
	return fmt.Sprintf("%d records refused, the first is number %d of the batch: %s", e.Total, e.Records[0].Index, e.Records[0].Message)
}

// Unwrap is the code of the whole answer.
func (e *RecordsError) Unwrap() error {
	if e.Timestamp {
		return kerr.InvalidTimestamp
	}
	return kerr.InvalidRecord
}

// ErrorCode is the protocol's error for an error of this package, or for any
// error that wraps a *kerr.Error. Others are UNKNOWN_SERVER_ERROR; nil is nil.
func ErrorCode(err error) *kerr.Error {
	var ke *kerr.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ke):
		return ke
	case errors.Is(err, ErrBatchCRC), errors.Is(err, ErrBatchShort):
		return kerr.CorruptMessage
	case errors.Is(err, ErrBatchMagic):
		return kerr.UnsupportedForMessageFormat
	case errors.Is(err, ErrBatchExpands):
		return kerr.MessageTooLarge
	case errors.Is(err, ErrBatchInvalid):
		return kerr.InvalidRecord
	}
	return kerr.UnknownServerError
}
