package differential

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

var nobody = [16]byte{1, 2, 3, 4}

func TestProduce(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 2)
		for v := int16(3); v <= 13; v++ {
			s.note(fmt.Sprint("good v", v), produce(name, id, -1, s.batch(kafka.BatchSpec{}, "a", "b"), s.batch(kafka.BatchSpec{}, "c")), v)
			s.note(fmt.Sprint("unknown topic v", v), produce("none", nobody, -1, s.batch(kafka.BatchSpec{}, "a")), v)
			s.note(fmt.Sprint("zstd v", v), produce(name, id, 1, s.batch(kafka.BatchSpec{Codec: kafka.CodecZstd}, "a")), v)
			s.note(fmt.Sprint("unknown partition v", v), produce(name, id, 1, s.batch(kafka.BatchSpec{}, "0"), s.batch(kafka.BatchSpec{}, "1"), s.batch(kafka.BatchSpec{}, "2")), v)
		}
		s.note("both", fetch(name, id, 0, 0), 13)
	})
}

func TestProduceRefusals(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 1, "max.message.bytes=2000")
		compact, compactID := s.topic("compact", 1, "cleanup.policy=compact")
		good := s.batch(kafka.BatchSpec{}, "a")
		damaged := append(kafka.Batch(nil), good...)
		damaged[len(damaged)-1] ^= 1
		short := append([]byte(nil), good[:len(good)-1]...)
		old := append([]byte(nil), good...)
		old[16] = 1
		long := append([]byte(nil), good...)
		long = append(long, 1, 2, 3)
		changed := func(at int, by byte) []byte {
			b := append([]byte(nil), good...)
			b[at] ^= by
			return sealed(b)
		}
		const flags, lastOffsetDelta, numRecords = 22, 26, 60
		for _, v := range []int16{3, 7, 8, 13} {
			try := func(what string, b []byte) { s.note(fmt.Sprintf("%s v%d", what, v), produce(name, id, -1, b), v) }
			try("wrong crc", damaged)
			try("cut short", short)
			try("magic 1", old)
			try("bytes behind", long)
			try("two batches", append(append([]byte(nil), good...), good...))
			try("empty", []byte{})
			try("too large", s.batch(kafka.BatchSpec{}, strings.Repeat("x", 3000)))
			try("wrong offset delta", changed(lastOffsetDelta, 7))
			try("wrong number of records", changed(numRecords, 3))
			try("no records", changed(numRecords, 1))
			try("control", changed(flags, 0x20))
			try("says LogAppendTime", changed(flags, 8))
			try("unknown codec", changed(flags, 7))
			keyless := kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Key: []byte("k"), Timestamp: s.base}, {Value: []byte("v"), Timestamp: s.base}, {Timestamp: s.base}})
			s.note(fmt.Sprint("keyless v", v), produce(compact, compactID, -1, keyless), v)
			s.note(fmt.Sprint("keyless gzip v", v), produce(compact, compactID, -1, kafka.Build(kafka.BatchSpec{Codec: kafka.CodecGzip}, []kafka.Record{{Value: []byte("v"), Timestamp: s.base}})), v)
			s.note(fmt.Sprint("acks 2 v", v), produce(name, id, 2, good), v)
			s.note(fmt.Sprint("acks -2 v", v), produce(name, id, -2, good), v)
			s.note(fmt.Sprint("transactional v", v), produce(name, id, -1, s.batch(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: 1}}, "a")), v)
		}
		s.transactional("warm-" + s.run)
		inTxn := produce(name, id, -1, s.batch(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: 1}}, "a"))
		inTxn.TransactionID = kmsg.StringPtr("x")
		s.note("transactional with an id", inTxn, 9)
		s.note("internal", produce("__consumer_offsets", [16]byte{}, -1, good), 12)
		s.wait = 2 * time.Second
		s.note("null", produce(name, id, -1, nil), 9)
		s.wait = patience
		s.note("nothing else got in", listOffsets(name, 0, -1, -1), 7)
	})
}

// sealed gives a batch that was changed a right checksum.
func sealed(b []byte) []byte {
	binary.BigEndian.PutUint32(b[17:], kafka.CRC32C(b[21:]))
	return b
}

func TestProduceTimestamps(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 1, "message.timestamp.before.max.ms=60000", "message.timestamp.after.max.ms=60000")
		stamped, stampedID := s.topic("stamped", 1, "message.timestamp.type=LogAppendTime")
		at := func(codec kafka.Codec, stamps ...int64) []byte {
			var rs []kafka.Record
			for _, ts := range stamps {
				rs = append(rs, kafka.Record{Key: []byte("k"), Value: []byte("v"), Timestamp: ts})
			}
			return kafka.Build(kafka.BatchSpec{Codec: codec}, rs)
		}
		for _, codec := range []kafka.Codec{kafka.CodecNone, kafka.CodecGzip} {
			for _, v := range []int16{3, 8, 13} {
				l := fmt.Sprintf(" %s v%d", codec, v)
				s.note("too old"+l, produce(name, id, -1, at(codec, s.base, s.base-120_000)), v)
				s.note("too new"+l, produce(name, id, -1, at(codec, s.base+3_600_000, s.base, s.base+3_600_000)), v)
				s.note("good"+l, produce(name, id, -1, at(codec, s.base+5, s.base)), v)
				s.note("none"+l, produce(name, id, -1, at(codec, -1)), v)
				s.note("append time"+l, produce(stamped, stampedID, -1, at(codec, s.base-1, s.base-500)), v)
			}
		}
		s.note("fetch", fetch(name, id, 0, 0), 13)
		s.note("fetch stamped", fetch(stamped, stampedID, 0, 0), 13)
		once, onceID := s.topic("once", 1, "message.timestamp.type=LogAppendTime")
		s.note("once", produce(once, onceID, -1, at(kafka.CodecLZ4, 1, 3, 2)), 9)
		for what, ts := range map[string]int64{"latest": -1, "earliest": -2, "newest": -3, "base": s.base, "later": s.base + 6, "0": 0, "now": time.Now().UnixMilli() + 60_000} {
			s.note("list "+what, listOffsets(name, 0, ts, -1), 7)
			s.note("list once stamped "+what, listOffsets(once, 0, ts, -1), 7)
		}
	})
}

func TestProduceRecompresses(t *testing.T) {
	compare(t, func(s *script) {
		for _, codec := range []string{"gzip", "uncompressed", "zstd", "producer"} {
			name, id := s.topic(codec, 1, "compression.type="+codec)
			for _, c := range []kafka.Codec{kafka.CodecNone, kafka.CodecGzip, kafka.CodecLZ4} {
				s.note(fmt.Sprint("produce ", c), produce(name, id, -1, s.batch(kafka.BatchSpec{Codec: c}, "aaaaaaaaaaaaaa", "b")), 9)
			}
			s.note("fetch "+codec, fetch(name, id, 0, 0), 13)
			s.note("fetch by an old client "+codec, fetch(name, id, 0, 0), 9)
		}
	})
}

func TestIdempotentProducer(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 1)
		stamped, stampedID := s.topic("stamped", 1, "message.timestamp.type=LogAppendTime")
		pid, other := s.producerID(), s.producerID()
		send := func(what string, pid int64, epoch int16, seq int32, values ...string) {
			b := s.batch(kafka.BatchSpec{Producer: &kafka.ProducerSpec{ID: pid, Epoch: epoch, Sequence: seq}}, values...)
			s.note(what, produce(name, id, -1, b), 9)
		}
		send("first", pid, 0, 0, "a", "b")
		send("again", pid, 0, 0, "a", "b")
		send("a gap", pid, 0, 3, "c")
		send("part of it again", pid, 0, 0, "a")
		send("overlapping", pid, 0, 1, "b", "c")
		for i := range 6 {
			send(fmt.Sprint("next ", i), pid, 0, int32(2+i), "n")
		}
		send("oldest that is remembered", pid, 0, 3, "n")
		send("older than that", pid, 0, 2, "n")
		send("much older", pid, 0, 0, "a", "b")
		send("a new epoch, not from 0", pid, 1, 8, "x")
		send("a new epoch", pid, 1, 0, "x")
		send("the old epoch", pid, 0, 8, "x")
		send("the old epoch, a repeat", pid, 0, 7, "n")
		send("unknown, in the middle", other, 0, 17, "y")
		send("and on", other, 0, 18, "y")
		send("negative sequence", other, 0, -1, "y")
		send("negative epoch", other, -1, 19, "y")
		b := s.batch(kafka.BatchSpec{Producer: &kafka.ProducerSpec{ID: pid}}, "a", "b")
		s.note("stamped", produce(stamped, stampedID, -1, b), 9)
		s.note("stamped again", produce(stamped, stampedID, -1, b), 9)
		s.note("fetch", fetch(name, id, 0, 0), 13)
	})
}

// transactional waits until transactions have a coordinator: Kafka makes the topic of
// their state when it is first asked for.
func (s *script) transactional(id string) {
	s.t.Helper()
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey, find.CoordinatorType = id, 1
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &id, 60_000
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if ask[*kmsg.FindCoordinatorResponse](s.side, find, 3).ErrorCode == 0 && ask[*kmsg.InitProducerIDResponse](s.side, req, 4).ErrorCode == 0 {
			return
		}
	}
	s.t.Fatal(s.name, ": no coordinator for transactions")
}

// producerID gets a producer id; Kafka's first one takes a moment.
func (s *script) producerID() int64 {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if resp := ask[*kmsg.InitProducerIDResponse](s.side, kmsg.NewPtrInitProducerIDRequest(), 4); resp.ErrorCode == 0 {
			return resp.ProducerID
		}
	}
	s.t.Fatal(s.name, ": no producer id")
	return -1
}

func TestInitProducerID(t *testing.T) {
	compare(t, func(s *script) {
		s.producerID()
		s.transactional("warm-" + s.run)
		for v := int16(0); v <= 5; v++ {
			req := kmsg.NewPtrInitProducerIDRequest()
			req.TransactionTimeoutMillis = 1000
			s.note(fmt.Sprint("new v", v), req, v)
			req.ProducerID, req.ProducerEpoch = 77, 3
			s.note(fmt.Sprint("goes on v", v), req, v)
			req.ProducerEpoch = -1
			s.note(fmt.Sprint("without an epoch v", v), req, v)
			req.ProducerID, req.ProducerEpoch = -1, 3
			s.note(fmt.Sprint("without an id v", v), req, v)
			req = kmsg.NewPtrInitProducerIDRequest()
			req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr(""), 1000
			s.note(fmt.Sprint("empty transactional id v", v), req, v)
		}
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr("warm-"+s.run), 1000
		s.note("transactional", req, 4)
	})
}

// With acks=0 there is no answer; with an error the connection closes.
func TestProduceUnanswered(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 1)
		for _, v := range []int16{3, 9, 13} {
			req := produce(name, id, 0, s.batch(kafka.BatchSpec{}, "a"))
			s.send(req, v)
			s.note(fmt.Sprint("after it v", v), listOffsets(name, 0, -2, -1), 7)
			s.note(fmt.Sprint("unknown v", v), produce("none", nobody, 0, s.batch(kafka.BatchSpec{}, "a")), v)
			bad := s.batch(kafka.BatchSpec{}, "a")
			bad[len(bad)-1] ^= 1
			s.note(fmt.Sprint("damaged v", v), produce(name, id, 0, bad), v)
		}
	})
}
