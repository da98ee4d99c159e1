package wire

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// Every version stores what it is given, names the topic as it was named, and says
// from v5 on where the log starts.
func TestProduceInEveryVersion(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 2)
	c := b.dial()
	next := int64(0)
	versions(t, keyProduce, func(t *testing.T, version int16) {
		for _, acks := range []int16{-1, 1} {
			resp := ask[*kmsg.ProduceResponse](c, produceTo("t", id, acks, b.batch("a", "b"), b.batch("c", "d")), version)
			if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 2 {
				t.Fatalf("%+v", resp)
			}
			rt := resp.Topics[0]
			if byID := version >= 13; (rt.Topic == "t") == byID || (rt.TopicID == id) != byID {
				t.Errorf("topic %q, %v", rt.Topic, rt.TopicID)
			}
			for i, p := range rt.Partitions {
				start := int64(-1)
				if version >= 5 {
					start = 0
				}
				if p.Partition != int32(i) || p.ErrorCode != 0 || p.BaseOffset != next || p.LogAppendTime != -1 || p.LogStartOffset != start || len(p.ErrorRecords) != 0 || p.ErrorMessage != nil {
					t.Errorf("acks %d: %+v", acks, p)
				}
			}
			next += 2
		}
		// With acks=0 the next answer is that of the next request.
		c.send(6, func() kmsg.Request {
			req := produceTo("t", id, 0, b.batch("e", "f"), b.batch("g", "h"))
			req.Version = version
			return req
		}())
		next += 2
		p := produced(c, produceTo("t", id, -1, b.batch("i", "j")), version)
		if p.BaseOffset != next {
			t.Errorf("after acks=0: %+v", p)
		}
		mustCode(t, "the other", ask[*kmsg.ProduceResponse](c, produceTo("t", id, 1, b.batch("x", "x"), b.batch("i", "j"), b.batch("x")), version).Topics[0].Partitions[2].ErrorCode, kerr.UnknownTopicOrPartition)
		next += 4
		ask[*kmsg.ProduceResponse](c, func() *kmsg.ProduceRequest {
			req := produceTo("t", id, 1, nil, b.batch("k", "l"))
			req.Topics[0].Partitions = req.Topics[0].Partitions[1:]
			return req
		}(), version)
	})
	var got []string
	for at := int64(0); at < next; {
		p := oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom("t", id, at), 13))
		batch, _, err := kafka.NextBatch(p.RecordBatches)
		if err != nil {
			t.Fatal(err)
		}
		at = batch.NextOffset()
		for r := range batch.Records(1 << 20) {
			got = append(got, string(r.Value))
		}
	}
	if int64(len(got)) != next {
		t.Errorf("%d records of %d", len(got), next)
	}
}

// spoiled is a batch with some bits of one byte inverted, and the right checksum.
func spoiled(b []byte, at int, bits byte) []byte {
	b = bytes.Clone(b)
	b[at] ^= bits
	binary.BigEndian.PutUint32(b[17:], kafka.CRC32C(b[21:]))
	return b
}

// What is wrong with the records of a partition is said for that partition, and
// nothing of it is stored; other partitions of the request go on.
// Gotcha: max.message.bytes is enforced (MESSAGE_TOO_LARGE).
func TestProduceRefusals(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 2, "max.message.bytes", "1000")
	c := b.dial()
	good := b.batch("a")
	wrongCRC := bytes.Clone(good)
	wrongCRC[len(wrongCRC)-1] ^= 1
	oldMagic := bytes.Clone(good)
	oldMagic[16] = 1
	cases := []struct {
		what    string
		records []byte
		want    *kerr.Error
	}{
		{"wrong checksum", wrongCRC, kerr.CorruptMessage},
		{"cut short", good[:len(good)-1], kerr.InvalidRecord},
		{"empty", []byte{}, kerr.InvalidRecord},
		{"null", nil, kerr.InvalidRecord},
		{"format v1", oldMagic, kerr.InvalidRecord},
		{"two batches", append(bytes.Clone(good), good...), kerr.InvalidRecord},
		{"bytes behind", append(bytes.Clone(good), 1, 2, 3), kerr.InvalidRecord},
		{"too large", b.batch(strings.Repeat("x", 1000)), kerr.MessageTooLarge},
		{"control batch", spoiled(good, 22, 0x20), kerr.InvalidRecord},
		{"LogAppendTime", spoiled(good, 22, 8), kerr.InvalidTimestamp},
		{"unknown codec", spoiled(good, 22, 7), kerr.InvalidRecord},
		{"last offset delta", spoiled(good, 26, 7), kerr.InvalidRecord},
		{"number of records", spoiled(good, 60, 3), kerr.InvalidRecord},
		{"transactional", batchAt(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: 1}}, b.now(), "a"), kerr.TransactionalIDAuthorizationFailed},
	}
	want := int64(0)
	versions(t, keyProduce, func(t *testing.T, version int16) {
		for _, tc := range cases {
			resp := ask[*kmsg.ProduceResponse](c, produceTo("t", id, -1, tc.records, good), version)
			bad, well := resp.Topics[0].Partitions[0], resp.Topics[0].Partitions[1]
			if got := name(bad.ErrorCode); got != tc.want.Message || bad.BaseOffset != -1 {
				t.Errorf("%s: %s, want %s", tc.what, got, tc.want.Message)
			}
			if well.ErrorCode != 0 || well.BaseOffset != want {
				t.Errorf("%s: the partition beside it: %+v, want offset %d", tc.what, well, want)
			}
			want++
		}
		for _, acks := range []int16{2, -2} {
			if p := produced(c, produceTo("t", id, acks, good), version); p.ErrorCode != kerr.InvalidRequiredAcks.Code || p.BaseOffset != -1 {
				t.Errorf("acks %d: %+v", acks, p)
			}
		}
		unknown := produceTo("none", kafka.UUID{5}, -1, good)
		code := kerr.UnknownTopicOrPartition
		if version >= 13 {
			code = kerr.UnknownTopicID
		}
		mustCode(t, "unknown topic", produced(c, unknown, version).ErrorCode, code)
	})
	if got := end(c, "t"); got != 0 {
		t.Errorf("%d records of refused batches are in the log", got)
	}
}

// Clients do not write the broker's own topics.
func TestProduceToInternalTopic(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	c := b.dial()
	mustCode(t, "not there", produced(c, produceTo("__consumer_offsets", kafka.UUID{}, -1, b.batch("a")), 9).ErrorCode, kerr.UnknownTopicOrPartition)
	b.topic("__consumer_offsets", 1)
	mustCode(t, "internal", produced(c, produceTo("__consumer_offsets", kafka.UUID{}, -1, b.batch("a")), 9).ErrorCode, kerr.InvalidTopicException)
	if got := end(c, "__consumer_offsets"); got != 0 {
		t.Errorf("end %d", got)
	}
}

// Gotcha: zstd needs Produce v7 (KIP-110).
func TestProduceZstd(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 1)
	c := b.dial()
	versions(t, keyProduce, func(t *testing.T, version int16) {
		want := kerr.UnsupportedCompressionType
		if version >= 7 {
			want = nil
		}
		mustCode(t, "zstd", produced(c, produceTo("t", id, -1, batchAt(kafka.BatchSpec{Codec: kafka.CodecZstd}, b.now(), "a")), version).ErrorCode, want)
	})
}

// Gotcha: a keyless record on a compacted topic answers INVALID_RECORD, with an
// error per record from v8 on (KIP-467).
func TestProduceKeylessToCompacted(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 1, "cleanup.policy", "compact")
	c := b.dial()
	for _, codec := range []kafka.Codec{kafka.CodecNone, kafka.CodecGzip} {
		records := kafka.Build(kafka.BatchSpec{Codec: codec}, []kafka.Record{
			{Value: []byte("a"), Timestamp: b.now()}, {Key: []byte("k"), Timestamp: b.now()}, {Value: []byte("b"), Timestamp: b.now()},
		})
		versions(t, keyProduce, func(t *testing.T, version int16) {
			p := produced(c, produceTo("t", id, -1, records), version)
			mustCode(t, "keyless", p.ErrorCode, kerr.InvalidRecord)
			if version < 8 {
				return
			}
			if len(p.ErrorRecords) != 2 || p.ErrorRecords[0].RelativeOffset != 0 || p.ErrorRecords[1].RelativeOffset != 2 || p.ErrorRecords[0].ErrorMessage == nil || p.ErrorMessage == nil {
				t.Errorf("%+v", p)
			}
		})
	}
	if got := end(c, "t"); got != 0 {
		t.Errorf("end %d", got)
	}
}

// Gotcha: LogAppendTime and the CreateTime range limits are carried out.
func TestProduceTimestamps(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	limited := b.topic("limited", 1, "message.timestamp.before.max.ms", "60000", "message.timestamp.after.max.ms", "60000")
	stamped := b.topic("stamped", 1, "message.timestamp.type", "LogAppendTime", "message.timestamp.after.max.ms", "1000")
	c := b.dial()
	at := func(codec kafka.Codec, stamps ...int64) []byte {
		var rs []kafka.Record
		for _, ts := range stamps {
			rs = append(rs, kafka.Record{Timestamp: ts})
		}
		return kafka.Build(kafka.BatchSpec{Codec: codec}, rs)
	}
	for _, codec := range []kafka.Codec{kafka.CodecNone, kafka.CodecLZ4} {
		now := b.now()
		for what, records := range map[string][]byte{"old": at(codec, now, now-120_000), "new": at(codec, now, now+120_000)} {
			p := produced(c, produceTo("limited", limited, -1, records), 9)
			if p.ErrorCode != kerr.InvalidTimestamp.Code || len(p.ErrorRecords) != 1 || p.ErrorRecords[0].RelativeOffset != 1 {
				t.Errorf("%s %s: %+v", codec, what, p)
			}
		}
		mustCode(t, "within", produced(c, produceTo("limited", limited, -1, at(codec, now-59_000, now+50_000, -1)), 9).ErrorCode, nil)
		before := b.now()
		p := produced(c, produceTo("stamped", stamped, -1, at(codec, 5, now+3_600_000)), 9)
		if p.ErrorCode != 0 || p.LogAppendTime < before || p.LogAppendTime > b.now() {
			t.Errorf("%s stamped: %+v, between %d and %d", codec, p, before, b.now())
		}
		f := oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom("stamped", stamped, p.BaseOffset), 13))
		batch, _, err := kafka.NextBatch(f.RecordBatches)
		if err != nil || batch.VerifyCRC() != nil || !batch.LogAppendTime() {
			t.Fatalf("%v, attributes %x", err, batch.Attributes())
		}
		for r := range batch.Records(1 << 20) {
			if r.Timestamp != p.LogAppendTime {
				t.Errorf("%s: record %d at %d, answered %d", codec, r.Offset, r.Timestamp, p.LogAppendTime)
			}
		}
	}
	if got := end(c, "limited"); got != 6 {
		t.Errorf("end %d", got)
	}
}

// A topic's own compression.type decides what is stored; "producer" keeps the bytes.
func TestProduceRecompresses(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	c := b.dial()
	for config, codec := range map[string]kafka.Codec{"gzip": kafka.CodecGzip, "zstd": kafka.CodecZstd, "uncompressed": kafka.CodecNone, "producer": kafka.CodecSnappy} {
		id := b.topic(config, 1, "compression.type", config)
		sent := batchAt(kafka.BatchSpec{Codec: kafka.CodecSnappy}, b.now(), "a", "b", "c")
		mustCode(t, config, produced(c, produceTo(config, id, -1, sent), 9).ErrorCode, nil)
		got := oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom(config, id, 0), 13)).RecordBatches
		batch, _, err := kafka.NextBatch(got)
		if err != nil || batch.Codec() != codec || batch.VerifyCRC() != nil || len(offsets(t, got)) != 3 {
			t.Errorf("%s: %v, %s", config, err, batch.Codec())
		}
		if config == "producer" && !bytes.Equal(got[16:], sent[16:]) {
			t.Error("the bytes have changed")
		}
	}
}

// Gotcha: acks=0 gets no response, whatever happens; an error closes the
// connection, as in Kafka, after the answers to what came before.
func TestProduceUnansweredErrorCloses(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 1)
	wrong := b.batch("a")
	wrong[len(wrong)-1] ^= 1
	for what, req := range map[string]*kmsg.ProduceRequest{
		"unknown topic": produceTo("none", kafka.UUID{1}, 0, b.batch("a")), "unknown id": produceTo("none", kafka.UUID{1}, 0, b.batch("a")), "damaged": produceTo("t", id, 0, wrong),
		"second partition": produceTo("t", id, 0, b.batch("stays"), b.batch("a")),
	} {
		c := b.dial()
		first := produceTo("t", id, -1, b.batch("before"))
		first.Version, req.Version = 9, 9
		if what == "unknown id" {
			req.Version = 13
		}
		c.send(7, first)
		c.send(8, req)
		if p := onePartition(t, receive[*kmsg.ProduceResponse](c, first)); p.ErrorCode != 0 {
			t.Errorf("%s: the request before: %+v", what, p)
		}
		c.mustBeClosed()
	}
	if got := strings.Count(b.log.String(), "has no answer to say so"); got != 4 {
		t.Errorf("%d reasons in the log:\n%s", got, b.log)
	}
	if got := end(b.dial(), "t"); got != 5 {
		t.Errorf("end %d", got)
	}
}

// A header that is wrong about its newest record is put right, as in Kafka: offsets
// by time are looked up by it.
func TestProduceCorrectsMaxTimestamp(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	c := b.dial()
	now := b.now()
	records := batchAt(kafka.BatchSpec{}, now, "a", "b")
	binary.BigEndian.PutUint64(records[35:], uint64(now-5000))
	id := b.topic("t", 1)
	mustCode(t, "produce", produced(c, produceTo("t", id, -1, spoiled(records, 35, 0)), 9).ErrorCode, nil)
	batch, _, err := kafka.NextBatch(oneFetched(t, ask[*kmsg.FetchResponse](c, fetchFrom("t", id, 0), 13)).RecordBatches)
	if err != nil || batch.MaxTimestamp() != now || batch.VerifyCRC() != nil {
		t.Errorf("%v, newest %d, want %d", err, batch.MaxTimestamp(), now)
	}
	if p := listed(c, "t", now, 7); p.Offset != 0 {
		t.Errorf("%+v", p)
	}
}
