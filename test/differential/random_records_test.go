package differential

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// Steps that write, read and delete records.

// topicOf is a topic, which may not be there, and the id it has or last had. One that
// never was has an id that nobody has; the zero id is none at all (TestZeroTopicID).
func (w *world) topicOf(d *dice) (name string, id [16]byte, label string) {
	slot := pick(d, 0, 0, 0, 1, 1, 2)
	return w.topicName(slot), w.idOf(slot), fmt.Sprint("t", slot)
}

func (w *world) idOf(slot int) [16]byte {
	if w.ids[slot] == [16]byte{} {
		return [16]byte{15: byte(100 + slot)}
	}
	return w.ids[slot]
}

// partitionOf is mostly one of the first two.
func partitionOf(d *dice) int32 { return pick[int32](d, 0, 0, 0, 1, 1, 2, 7) }

var codecs = []kafka.Codec{kafka.CodecNone, kafka.CodecNone, kafka.CodecGzip, kafka.CodecSnappy, kafka.CodecLZ4, kafka.CodecZstd}

// records makes a batch: mostly two good records with keys, sometimes others.
func (w *world) records(d *dice, spec kafka.BatchSpec) ([]byte, string) {
	kind := "good"
	if d.one(4) {
		kind = pick(d, "without keys", "too new", "large", "damaged", "cut short", "wrong delta", "wrong count", "control", "no records", "magic 1", "two batches")
	}
	spec.Codec = pick(d, codecs...)
	if w.plain && spec.Codec == kafka.CodecZstd { // which old versions do not know
		spec.Codec = kafka.CodecNone
	}
	if w.plain && kind == "too new" {
		kind = "good"
	}
	var rs []kafka.Record
	for i := range 1 + d.n(3) {
		r := kafka.Record{Key: []byte{'k', byte('0' + d.n(3))}, Value: []byte(fmt.Sprint("v", d.n(100))), Timestamp: w.base + int64(d.n(500)) + int64(i)}
		switch kind {
		case "without keys":
			r.Key = nil
		case "too new":
			r.Timestamp = w.base + 2*3_600_000
		case "large":
			r.Value = make([]byte, 900)
		}
		rs = append(rs, r)
	}
	b := []byte(kafka.Build(spec, rs))
	const magic, flags, lastOffsetDelta, numRecords = 16, 22, 26, 60
	switch kind {
	case "damaged":
		b[len(b)-1] ^= 1
	case "cut short":
		b = b[:len(b)-1]
	case "wrong delta":
		b[lastOffsetDelta] ^= 7
		b = sealed(b)
	case "wrong count":
		b[numRecords] ^= 16
		b = sealed(b)
	case "control":
		b[flags] ^= 0x20
		b = sealed(b)
	case "no records":
		b = []byte{}
	case "magic 1":
		b[magic] = 1
	case "two batches":
		b = append(b, b...)
	}
	return b, fmt.Sprintf("%s %s x%d", kind, spec.Codec, len(rs))
}

func (w *world) produceStep(d *dice) {
	name, id, label := w.topicOf(d)
	partition, version := partitionOf(d), d.version(3, 13)
	acks := pick[int16](d, -1, -1, 1, 1, 2)
	b, what := w.records(d, kafka.BatchSpec{})
	if acks == 2 && !strings.HasPrefix(what, "good") {
		acks = 1 // of two mistakes either may be told
	}
	w.written = true
	req := produce(name, id, acks, b)
	req.Topics[0].Partitions[0].Partition = partition
	w.ask(fmt.Sprintf("%s/%d acks %d %s", label, partition, acks, what), req, version)
}

// idempotentStep sends a batch of a producer: mostly the next, or one again, or
// with a gap, or of another epoch.
func (w *world) idempotentStep(d *dice) {
	name, id, label := w.topicOf(d)
	partition, version, who := pick[int32](d, 0, 0, 1), d.version(3, 13), d.n(producers)
	at := fmt.Sprintf("%d/%s/%d", who, label, partition)
	next := w.next[at]
	sequence, epoch := next, w.epochs[who]
	how := pick(d, "next", "next", "next", "next", "again", "older", "gap", "new epoch", "old epoch")
	switch how {
	case "again":
		sequence = max(0, next-1)
	case "older":
		sequence = max(0, next-int32(2+d.n(7)))
	case "gap":
		sequence = next + int32(1+d.n(3))
	case "new epoch":
		epoch++
		sequence = int32(d.n(2))
	case "old epoch":
		epoch = max(0, epoch-1)
	}
	b := kafka.Build(kafka.BatchSpec{Producer: &kafka.ProducerSpec{ID: w.pid[who], Epoch: epoch, Sequence: sequence}},
		[]kafka.Record{{Key: []byte("k"), Value: []byte(fmt.Sprint("i", sequence)), Timestamp: w.base + int64(sequence)}})
	req := produce(name, id, -1, b)
	req.Topics[0].Partitions[0].Partition = partition
	kind := ""
	if sequence < next {
		kind = " repeat"
	}
	resp, _ := w.askAs(kind, fmt.Sprintf("%s/%d producer %d %s: epoch %d sequence %d", label, partition, who, how, epoch, sequence), req, version).(*kmsg.ProduceResponse)
	if resp != nil && resp.Topics[0].Partitions[0].ErrorCode == 0 {
		if epoch == w.epochs[who] {
			sequence = max(sequence, next-1)
		}
		w.next[at], w.epochs[who] = sequence+1, epoch
	}
}

// unansweredStep sends with acks=0: what became of it shows in the next answer, or
// in the end of the connection.
func (w *world) unansweredStep(d *dice) {
	name, id, label := w.topicOf(d)
	b, what := w.records(d, kafka.BatchSpec{})
	version := d.version(3, 13)
	w.send(produce(name, id, 0, b), version)
	w.ask(fmt.Sprintf("%s/0 after acks 0 %s in v%d", label, what, version), listOffsets(name, 0, -2, -1), 7)
	w.flush()
	w.ask("and its end", listOffsets(name, 0, -1, -1), 7)
}

func (w *world) fetchStep(d *dice) {
	name, id, label := w.topicOf(d)
	version := d.version(4, 18)
	req := fetch(name, id, partitionOf(d), int64(d.n(14))-1)
	for range d.n(2) {
		more := req.Topics[0].Partitions[0]
		more.Partition, more.FetchOffset = (more.Partition+1)%partitions, int64(d.n(6))
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, more)
	}
	if req.MaxBytes = pick[int32](d, 1<<20, 1<<20, 1, 150, 400); len(req.Topics[0].Partitions) > 1 && req.MaxBytes > 1 {
		req.MaxBytes = 1 << 20 // what is left for the others: TestFetchLimitsOverPartitions
	}
	if req.IsolationLevel = int8(d.n(2)); req.IsolationLevel == 1 {
		req.MaxBytes = 1 << 20 // with limits: TestAbortedOfWhatIsSent
	}
	what := fmt.Sprintf("max %d isolation %d", req.MaxBytes, req.IsolationLevel)
	for i := range req.Topics[0].Partitions {
		p := &req.Topics[0].Partitions[i]
		if p.PartitionMaxBytes = pick[int32](d, 1<<20, 1<<20, 1, 120, 300); req.IsolationLevel == 1 {
			p.PartitionMaxBytes = 1 << 20
		}
		if d.one(6) {
			p.CurrentLeaderEpoch = w.epoch + int32(d.n(2))
		}
		if d.one(6) {
			p.LastFetchedEpoch = w.epoch + int32(d.n(2))
		}
		what += fmt.Sprintf(", %s/%d from %d max %d epoch %d last %d", label, p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch, p.LastFetchedEpoch)
	}
	w.ask(what, req, version)
}

func (w *world) listOffsetsStep(d *dice) {
	name, _, label := w.topicOf(d)
	at := pick(d, int64(-1), -2, -3, -4, -5, -6, -9, 0, w.base, w.base+int64(d.n(520)), w.base+2000)
	partition := partitionOf(d)
	if at == -3 && w.cut[fmt.Sprint(label, partition)] {
		at = -1 // see TestListOffsets
	}
	req := listOffsets(name, partition, at, -1)
	req.IsolationLevel = int8(d.n(2))
	p := &req.Topics[0].Partitions[0]
	if d.one(6) {
		p.CurrentLeaderEpoch = w.epoch + int32(d.n(2))
	}
	w.ask(fmt.Sprintf("%s/%d at %s isolation %d epoch %d", label, p.Partition, w.moment(at), req.IsolationLevel, p.CurrentLeaderEpoch), req, d.version(1, 11))
}

func (w *world) deleteRecordsStep(d *dice) {
	name, _, label := w.topicOf(d)
	req := deleteRecords(name, partitionOf(d), pick[int64](d, 0, 1, 2, 3, 5, 8, -1, -2))
	p := req.Topics[0].Partitions[0]
	w.cut[fmt.Sprint(label, p.Partition)] = true
	w.ask(fmt.Sprintf("%s/%d to %d", label, p.Partition, p.Offset), req, d.version(0, 2))
}

func (w *world) epochEndStep(d *dice) {
	name, _, label := w.topicOf(d)
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.ReplicaID = -1
	rp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	rp.Partition, rp.CurrentLeaderEpoch, rp.LeaderEpoch = partitionOf(d), pick(d, -1, -1, w.epoch, w.epoch+1), w.epoch+int32(d.n(2))
	req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: name, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{rp}}}
	w.ask(fmt.Sprintf("%s/%d of %d at %d", label, rp.Partition, rp.LeaderEpoch, rp.CurrentLeaderEpoch), req, d.version(2, 4))
}
