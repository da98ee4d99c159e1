package kafka

import (
	"encoding/binary"
	"fmt"
)

// Marker is the end of a producer's transaction in one log, as a control batch
// tells it (KIP-98).
type Marker struct {
	ProducerID int64
	// Epoch is the producer's; from transaction version 2 on the one that follows the
	// transaction's own (KIP-890).
	Epoch  int16
	Commit bool
	// CoordinatorEpoch is the leader epoch of the coordinator that decided.
	CoordinatorEpoch int32
}

// Types of control records, as their keys have them.
const (
	controlAbort  = 0
	controlCommit = 1
)

// BuildMarker makes the control batch of a marker; ts is its time, ms since 1970.
func BuildMarker(m Marker, ts int64) Batch {
	kind := uint16(controlAbort)
	if m.Commit {
		kind = controlCommit
	}
	key := binary.BigEndian.AppendUint16([]byte{0, 0}, kind)
	value := binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(m.CoordinatorEpoch))
	return Build(BatchSpec{
		Producer: &ProducerSpec{ID: m.ProducerID, Epoch: m.Epoch, Sequence: -1}, Transactional: true, Control: true,
	}, []Record{{Timestamp: ts, Key: key, Value: value}})
}

// Marker reads the marker that a control batch holds; false for one that ends no
// transaction. The error wraps ErrBatchInvalid.
func (b Batch) Marker() (m Marker, ok bool, err error) {
	if !b.Control() || b.NumRecords() == 0 {
		return m, false, nil
	}
	for r, err := range b.Records(1 << 10) {
		if err != nil {
			return m, false, err
		}
		if len(r.Key) < 4 {
			return m, false, fmt.Errorf("%w: a control record with a key of %d bytes", ErrBatchInvalid, len(r.Key))
		}
		kind := binary.BigEndian.Uint16(r.Key[2:])
		if kind != controlAbort && kind != controlCommit {
			return m, false, nil
		}
		if len(r.Value) < 6 {
			return m, false, fmt.Errorf("%w: a marker with a value of %d bytes", ErrBatchInvalid, len(r.Value))
		}
		return Marker{b.ProducerID(), b.ProducerEpoch(), kind == controlCommit, int32(binary.BigEndian.Uint32(r.Value[2:]))}, true, nil
	}
	return m, false, nil
}
