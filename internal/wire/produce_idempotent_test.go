package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// Gotcha: idempotent producers get Kafka's answers to gaps, repeats and fences
// (KIP-98, KIP-360), also when a restart lies between.
func TestProduceSequences(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 1)
	c := b.dial()
	values := []string{"a", "b", "c", "d"}
	try := func(what string, p kafka.ProducerSpec, n int, want *kerr.Error, offset int64) {
		t.Helper()
		got := produced(c, produceTo("t", id, -1, b.from(p, values[:n]...)), 9)
		if name(got.ErrorCode) != name(codeOf(want)) || got.BaseOffset != offset {
			t.Errorf("%s: %s at %d, want %s at %d", what, name(got.ErrorCode), got.BaseOffset, name(codeOf(want)), offset)
		}
	}
	gap, fenced := kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch
	try("first", kafka.ProducerSpec{ID: 5, Sequence: 0}, 2, nil, 0)
	try("repeat", kafka.ProducerSpec{ID: 5, Sequence: 0}, 2, nil, 0)
	try("gap", kafka.ProducerSpec{ID: 5, Sequence: 3}, 1, gap, -1)
	try("overlap", kafka.ProducerSpec{ID: 5, Sequence: 1}, 2, gap, -1)
	for i := range int32(5) {
		try("next", kafka.ProducerSpec{ID: 5, Sequence: 2 + i}, 1, nil, 2+int64(i))
	}
	for range 2 {
		try("the oldest of five", kafka.ProducerSpec{ID: 5, Sequence: 2}, 1, nil, 2)
		try("one older", kafka.ProducerSpec{ID: 5, Sequence: 0}, 2, gap, -1)
		b.kill()
		c = b.dial()
	}
	try("goes on", kafka.ProducerSpec{ID: 5, Sequence: 7}, 1, nil, 7)
	try("new epoch, not from 0", kafka.ProducerSpec{ID: 5, Epoch: 1, Sequence: 8}, 1, gap, -1)
	try("new epoch", kafka.ProducerSpec{ID: 5, Epoch: 1}, 1, nil, 8)
	try("old epoch", kafka.ProducerSpec{ID: 5, Sequence: 8}, 1, fenced, -1)
	try("unknown producer in the middle", kafka.ProducerSpec{ID: 6, Sequence: 1<<31 - 1}, 1, nil, 9)
	try("around the corner", kafka.ProducerSpec{ID: 6, Sequence: 0}, 1, nil, 10)
	if got := end(c, "t"); got != 11 {
		t.Errorf("end %d", got)
	}
}

func codeOf(err *kerr.Error) int16 {
	if err == nil {
		return 0
	}
	return err.Code
}

// Gotcha: several requests in flight on one connection, the first of them refused:
// all behind it are out of order, none is stored, and they can be sent again in
// order.
func TestProduceSequencesInFlight(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 1)
	c := b.dial()
	seq := func(s int32) *kmsg.ProduceRequest {
		req := produceTo("t", id, -1, b.from(kafka.ProducerSpec{ID: 5, Sequence: s}, "v"))
		req.Version = 9
		return req
	}
	mustCode(t, "first", produced(c, seq(0), 9).ErrorCode, nil)
	damaged := seq(1)
	records := damaged.Topics[0].Partitions[0].Records
	records[len(records)-1] ^= 1
	sent := []*kmsg.ProduceRequest{damaged, seq(2), seq(3), seq(4), seq(5)}
	for _, req := range sent {
		c.send(7, req)
	}
	for i, req := range sent {
		want := kerr.OutOfOrderSequenceNumber
		if i == 0 {
			want = kerr.CorruptMessage
		}
		mustCode(t, "in flight", onePartition(t, receive[*kmsg.ProduceResponse](c, req)).ErrorCode, want)
	}
	for s := int32(1); s <= 5; s++ {
		c.send(7, seq(s))
	}
	for s := int64(1); s <= 5; s++ {
		if p := onePartition(t, receive[*kmsg.ProduceResponse](c, seq(0))); p.ErrorCode != 0 || p.BaseOffset != s {
			t.Errorf("again: %+v, want offset %d", p, s)
		}
	}
}
