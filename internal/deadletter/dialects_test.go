package deadletter

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kgo"
)

func record(kv ...string) *kgo.Record {
	r := &kgo.Record{Topic: "dlq", Partition: 2, Offset: 9, Key: []byte("k"), Value: []byte("v"), Timestamp: time.UnixMilli(1700000000000)}
	for i := 0; i < len(kv); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: kv[i], Value: []byte(kv[i+1])})
	}
	return r
}

func be32(n int32) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }
func be64(n int64) string { return string(binary.BigEndian.AppendUint64(nil, uint64(n))) }

// Every dialect is read into one model, and what tells of the failure is taken off
// the original, no more and no less.
func TestDialects(t *testing.T) {
	mine := []string{"mine", "1", "traceparent", "00-x"}
	for _, c := range []struct {
		name Dialect
		hs   []string
		want Letter
	}{
		{Leat, []string{"__dlq.errors.topic", "orders", "__dlq.errors.partition", "1", "__dlq.errors.offset", "77", "__dlq.errors.group", "g",
			"__dlq.errors.delivery.count", "5", "__dlq.errors.message", "bad", "leat.dlq.pipeline", "p", "leat.dlq.step", "s", "leat.dlq.model", "m",
			"leat.dlq.event-id", "e", "leat.dlq.class", "poison", "leat.dlq.stage", "decode", "leat.dlq.first-failed-at", "2026-01-02T03:04:05.000Z",
			"leat.dlq.fingerprint", "abc", "leat.dlq.redrive-count", "2", "leat.dlq.redrive-id", "rd"},
			Letter{Source: Source{"orders", 1, 77, "g"}, Attempts: 5, Message: "bad", Pipeline: "p", Step: "s", Model: "m", EventID: "e", Class: "poison",
				Stage: "decode", FirstFailed: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Fingerprint: "abc", Redrives: 2, RedriveID: "rd"}},
		{ShareGroup, []string{"__dlq.errors.topic", "orders", "__dlq.errors.partition", "1", "__dlq.errors.offset", "77", "__dlq.errors.group", "g", "__dlq.errors.delivery.count", "5", "__dlq.errors.message", "bad", "_dlq.errors.disposition", "RETRY"},
			Letter{Source: Source{"orders", 1, 77, "g"}, Attempts: 5, Message: "bad"}},
		{Connect, []string{"__connect.errors.topic", "orders", "__connect.errors.partition", "1", "__connect.errors.offset", "77", "__connect.errors.connector.name", "sink",
			"__connect.errors.stage", "VALUE_CONVERTER", "__connect.errors.exception.class.name", "X", "__connect.errors.exception.message", "bad", "__connect.errors.exception.stacktrace", "at"},
			Letter{Source: Source{"orders", 1, 77, "sink"}, Stage: "VALUE_CONVERTER", Class: "X", Message: "bad", Stack: "at"}},
		{Streams, []string{"__streams.errors.exception", "X", "__streams.errors.message", "bad", "__streams.errors.stacktrace", "at", "__streams.errors.topic", "orders", "__streams.errors.partition", "1", "__streams.errors.offset", "77"},
			Letter{Source: Source{"orders", 1, 77, ""}, Class: "X", Message: "bad", Stack: "at"}},
		{Spring, []string{"kafka_dlt-original-topic", "orders", "kafka_dlt-original-partition", be32(1), "kafka_dlt-original-offset", be64(1 << 40), "kafka_dlt-original-consumer-group", "g",
			"kafka_dlt-original-timestamp", be64(1600000000000), "kafka_dlt-exception-fqcn", "Wrapper", "kafka_dlt-exception-cause-fqcn", "X", "kafka_dlt-exception-message", "bad",
			"kafka_dlt-exception-stacktrace", "at", "retry_topic-attempts", be32(4), "retry_topic-original-timestamp", "\x01\x74\x87\x6e\x80\x00"},
			Letter{Source: Source{"orders", 1, 1 << 40, "g"}, Class: "X", Message: "bad", Stack: "at", Attempts: 4, Time: time.UnixMilli(1600000000000)}},
		{Watermill, []string{"reason_poisoned", "bad", "topic_poisoned", "orders", "handler_poisoned", "h", "subscriber_poisoned", "sub"},
			Letter{Source: Source{"orders", -1, -1, "sub"}, Message: "bad", Step: "h"}},
		{PubSub, []string{"CloudPubSubDeadLetterSourceDeliveryCount", "6", "CloudPubSubDeadLetterSourceSubscription", "sub", "CloudPubSubDeadLetterSourceTopicPublishTime", "2026-01-02T03:04:05Z"},
			Letter{Source: Source{"", -1, -1, "sub"}, Attempts: 6, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		{Knative, []string{"ce_knativeerrordest", "http://x", "ce_knativeerrorcode", "500", "ce_knativeerrordata", "YmFk"},
			Letter{Source: Source{"", -1, -1, "http://x"}, Class: "500", Message: "bad"}},
		{Plain, []string{"x-original-topic", "orders", "x-exception-message", "bad"},
			Letter{Source: Source{"orders", -1, -1, ""}, Message: "bad"}},
	} {
		t.Run(string(c.name), func(t *testing.T) {
			r := record(append(mine[:len(mine):len(mine)], c.hs...)...)
			got, ok := Read(r)
			if !ok || got.Dialect != c.name {
				t.Fatalf("read as %q, %v", got.Dialect, ok)
			}
			want := c.want
			want.Topic, want.Partition, want.Offset, want.Dialect, want.State, want.Record = "dlq", 2, 9, c.name, Open, r
			if want.Time.IsZero() {
				want.Time = r.Timestamp
			}
			if want.Fingerprint == "" {
				want.Fingerprint = worker.Fingerprint(want.Class, want.Message)
			}
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			o := got.Original()
			if len(o.Headers) != 2 || o.Headers[0].Key != "mine" || o.Headers[1].Key != "traceparent" || string(o.Key) != "k" || string(o.Value) != "v" || !o.Timestamp.Equal(r.Timestamp) {
				t.Errorf("the original is %+v", o)
			}
		})
	}
	if l, ok := Read(record(mine...)); ok || l.Source.Offset != -1 {
		t.Errorf("a record without such headers is read as %+v", l)
	}
}

// A step may read a dead-letter topic and fail: the outer letter counts, and the
// original still has the inner one's headers.
func TestLetterInALetter(t *testing.T) {
	inner := []string{"__dlq.errors.topic", "first", "__dlq.errors.partition", "0", "__dlq.errors.offset", "1", "leat.dlq.class", "poison"}
	outer := []string{"__dlq.errors.topic", "dlq.first", "__dlq.errors.partition", "0", "__dlq.errors.offset", "5", "leat.dlq.class", "retriable"}
	l, _ := Read(record(append(inner[:len(inner):len(inner)], outer...)...))
	if l.Source.Topic != "dlq.first" || l.Class != "retriable" {
		t.Errorf("read %+v", l)
	}
	if again, ok := Read(&kgo.Record{Headers: l.Original().Headers}); !ok || again.Source.Topic != "first" || len(again.Record.Headers) != 4 {
		t.Errorf("the original reads as %+v", again)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("kafka_dlt-original-topic", "t", "kafka_dlt-original-offset", "\x00\x01")
	f.Add("__dlq.errors.topic", "\xff", "__dlq.errors.offset", "-5")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		l, _ := Read(record(k1, v1, k2, v2, "leat.dlq.class", v1, "__dlq.errors.partition", v2))
		if l.Fingerprint == "" || l.Source.Partition < -1 || strings.ToValidUTF8(l.Message, "") != l.Message {
			t.Fatalf("%+v", l)
		}
		l.Original()
	})
}
