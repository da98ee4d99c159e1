package kafka

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func TestMarker(t *testing.T) {
	for _, m := range []Marker{{5, 3, true, 9}, {1 << 40, 0, false, 0}} {
		b := BuildMarker(m, 1234)
		if !b.Control() || !b.Transactional() || b.BaseSequence() != -1 || b.NumRecords() != 1 || b.MaxTimestamp() != 1234 {
			t.Errorf("%x", []byte(b))
		}
		if got, ok, err := b.Marker(); got != m || !ok || err != nil {
			t.Errorf("%+v %v %v, want %+v", got, ok, err, m)
		}
		horizon, err := b.WithDeleteHorizon(9000)
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := horizon.DeleteHorizon(); !ok || at != 9000 || horizon.VerifyCRC() != nil {
			t.Errorf("horizon %d %v", at, ok)
		}
		for r, err := range horizon.Records(100) {
			if err != nil || r.Timestamp != 1234 {
				t.Errorf("%+v, %v", r, err)
			}
		}
		if again, err := horizon.WithDeleteHorizon(9999); err != nil || !bytes.Equal(again, horizon) {
			t.Errorf("a horizon that is set moves: %v", err)
		}
	}
}

// A marker as Apache Kafka writes it (DumpLogSegments shows: endTxnMarker COMMIT,
// coordinatorEpoch 1): the body of its batch.
func TestMarkerBytes(t *testing.T) {
	b := BuildMarker(Marker{7, 1, true, 1}, 1000)
	if got := hex.EncodeToString(b.Body()); got != "200000000800000001"+"0c000000000001"+"00" {
		t.Error(got)
	}
}

func TestNoMarker(t *testing.T) {
	data := Build(BatchSpec{}, []Record{{Key: []byte("k")}})
	if _, ok, err := data.Marker(); ok || err != nil {
		t.Error(ok, err)
	}
	control := func(key, value []byte) Batch {
		return Build(BatchSpec{Control: true}, []Record{{Key: key, Value: value}})
	}
	if _, ok, err := control([]byte{0, 0, 0, 2}, nil).Marker(); ok || err != nil {
		t.Error("a leader change is no marker", ok, err)
	}
	for _, b := range []Batch{control([]byte{0}, nil), control([]byte{0, 0, 0, 1}, []byte{0})} {
		if _, ok, err := b.Marker(); ok || !errors.Is(err, ErrBatchInvalid) {
			t.Error(ok, err)
		}
	}
}
