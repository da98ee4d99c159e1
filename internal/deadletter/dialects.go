package deadletter

import (
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Dialect is a set of dead-letter headers that some software writes.
type Dialect string

const (
	Leat       Dialect = "leat"        // KIP-1191 and leat.dlq.*
	ShareGroup Dialect = "share-group" // KIP-1191 alone
	Connect    Dialect = "connect"     // Kafka Connect, KIP-298
	Streams    Dialect = "streams"     // Kafka Streams, KIP-1034
	Spring     Dialect = "spring"      // Spring Kafka's DeadLetterPublishingRecoverer
	Watermill  Dialect = "watermill"
	PubSub     Dialect = "pubsub"
	Knative    Dialect = "knative"
	Plain      Dialect = "plain" // x-original-topic and the like
)

// dialect reads one set of headers. marks are names of which any one shows it;
// strip takes its headers away.
type dialect struct {
	name  Dialect
	marks []string
	read  func(headers, *Letter)
	strip func([]kgo.RecordHeader) []kgo.RecordHeader
}

// dialects in the order in which they are looked for: the more telling first. A
// record may carry several (a Connect dead letter that a Leat step then failed on);
// the outermost counts.
var dialects = []dialect{
	{Leat, []string{worker.HeaderDLQClass}, readLeat, stripLast(worker.HeaderDLQTopic, "__dlq.errors.", "leat.dlq.")},
	{ShareGroup, []string{worker.HeaderDLQTopic}, readShareGroup, stripLast(worker.HeaderDLQTopic, "__dlq.errors.", "_dlq.errors.")},
	{Connect, []string{"__connect.errors.topic", "__connect.errors.exception.class.name", "__connect.errors.connector.name"}, readConnect, strip("__connect.errors.")},
	{Streams, []string{"__streams.errors.exception", "__streams.errors.topic"}, readStreams, strip("__streams.errors.")},
	{Spring, []string{"kafka_dlt-original-topic", "kafka_dlt-exception-fqcn"}, readSpring, strip("kafka_dlt-", "retry_topic-", "kafka_deliveryAttempt")},
	{Watermill, []string{"reason_poisoned", "topic_poisoned"}, readWatermill, strip("reason_poisoned", "topic_poisoned", "handler_poisoned", "subscriber_poisoned")},
	{PubSub, []string{"CloudPubSubDeadLetterSourceDeliveryCount", "CloudPubSubDeadLetterSourceSubscription"}, readPubSub, strip("CloudPubSubDeadLetterSource")},
	{Knative, []string{"ce_knativeerrordest", "ce_knativeerrorcode", "knativeerrordest", "knativeerrorcode"}, readKnative, strip("ce_knativeerror", "knativeerror")},
	{Plain, []string{"x-original-topic"}, readPlain, strip("x-original-", "x-exception-", "x-error-")},
}

func readShareGroup(h headers, l *Letter) {
	l.Source = Source{h.text("__dlq.errors.topic"), int32(h.number("__dlq.errors.partition", 32)), h.number("__dlq.errors.offset", 64), h.text("__dlq.errors.group")}
	l.Attempts = h.count("__dlq.errors.delivery.count")
	l.Message = h.text("__dlq.errors.message")
}

func readLeat(h headers, l *Letter) {
	readShareGroup(h, l)
	l.Pipeline, l.Step, l.Model = h.text(worker.HeaderDLQPipeline), h.text(worker.HeaderDLQStep), h.text(worker.HeaderDLQModel)
	l.EventID = h.text(worker.HeaderDLQEventID)
	l.Class, l.Stage = h.text(worker.HeaderDLQClass), h.text(worker.HeaderDLQStage)
	l.Stack, l.Fingerprint = h.text(worker.HeaderDLQStacktrace), h.text(worker.HeaderDLQFingerprint)
	l.FirstFailed, l.LastFailed = h.time(worker.HeaderDLQFirstFailed), h.time(worker.HeaderDLQLastFailed)
	l.Redrives, l.RedriveID = h.count(worker.HeaderDLQRedriveCount), h.text(worker.HeaderDLQRedriveID)
}

func readConnect(h headers, l *Letter) {
	const p = "__connect.errors."
	l.Source = Source{h.text(p + "topic"), int32(h.number(p+"partition", 32)), h.number(p+"offset", 64), h.text(p + "connector.name")}
	l.Stage, l.Class = h.text(p+"stage"), h.text(p+"exception.class.name")
	l.Message, l.Stack = h.text(p+"exception.message"), h.text(p+"exception.stacktrace")
}

func readStreams(h headers, l *Letter) {
	const p = "__streams.errors."
	l.Source = Source{Topic: h.text(p + "topic"), Partition: int32(h.number(p+"partition", 32)), Offset: h.number(p+"offset", 64)}
	l.Class, l.Message, l.Stack = h.text(p+"exception"), h.text(p+"message"), h.text(p+"stacktrace")
}

// readSpring minds that Spring writes numbers as big-endian bytes.
func readSpring(h headers, l *Letter) {
	const p = "kafka_dlt-"
	l.Source = Source{h.text(p + "original-topic"), int32(h.bigEndian(p + "original-partition")), h.bigEndian(p + "original-offset"), h.text(p + "original-consumer-group")}
	l.Class, l.Message, l.Stack = h.text(p+"exception-fqcn"), h.text(p+"exception-message"), h.text(p+"exception-stacktrace")
	if cause := h.text(p + "exception-cause-fqcn"); cause != "" {
		l.Class = cause // the outer one is Spring's own wrapper for every failure
	}
	if ms := h.bigEndian(p + "original-timestamp"); ms > 0 {
		l.Time = time.UnixMilli(ms)
	}
	l.Attempts = max(int(h.bigEndian("retry_topic-attempts")), int(h.bigEndian("kafka_deliveryAttempt")), 0)
}

func readWatermill(h headers, l *Letter) {
	l.Source.Topic, l.Source.Group = h.text("topic_poisoned"), h.text("subscriber_poisoned")
	l.Message, l.Step = h.text("reason_poisoned"), h.text("handler_poisoned")
}

func readPubSub(h headers, l *Letter) {
	const p = "CloudPubSubDeadLetterSource"
	l.Source.Group = h.text(p + "Subscription")
	l.Attempts = h.count(p + "DeliveryCount")
	if t := h.time(p + "TopicPublishTime"); !t.IsZero() {
		l.Time = t
	}
}

func readKnative(h headers, l *Letter) {
	of := func(name string) string {
		if v := h.text("ce_" + name); v != "" {
			return v
		}
		return h.text(name)
	}
	l.Source.Group, l.Class = of("knativeerrordest"), of("knativeerrorcode")
	l.Message = of("knativeerrordata")
	if b, err := base64.StdEncoding.DecodeString(l.Message); err == nil {
		l.Message = clean(b)
	}
}

func readPlain(h headers, l *Letter) {
	l.Source = Source{Topic: h.text("x-original-topic"), Partition: int32(h.number("x-original-partition", 32)), Offset: h.number("x-original-offset", 64)}
	l.Message, l.Stack = h.text("x-exception-message"), h.text("x-exception-stacktrace")
}

// strip takes away the headers whose names begin with one of these.
func strip(prefixes ...string) func([]kgo.RecordHeader) []kgo.RecordHeader {
	return func(hs []kgo.RecordHeader) []kgo.RecordHeader {
		return slices.DeleteFunc(slices.Clone(hs), func(h kgo.RecordHeader) bool { return hasPrefix(h.Key, prefixes) })
	}
}

// stripLast takes away such headers from the last one named first on. What is
// before it the record had when it failed, even if it looks the same: a step may
// read a dead-letter topic.
func stripLast(first string, prefixes ...string) func([]kgo.RecordHeader) []kgo.RecordHeader {
	return func(hs []kgo.RecordHeader) []kgo.RecordHeader {
		at := len(hs)
		for i := len(hs) - 1; i >= 0; i-- {
			if hs[i].Key == first {
				at = i
				break
			}
		}
		out := slices.Clone(hs[:at])
		for _, h := range hs[at:] {
			if !hasPrefix(h.Key, prefixes) {
				out = append(out, h)
			}
		}
		return out
	}
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// headers by name, the last of a name.
type headers map[string][]byte

func newHeaders(hs []kgo.RecordHeader) headers {
	m := make(headers, len(hs))
	for _, h := range hs {
		m[h.Key] = h.Value
	}
	return m
}

func (h headers) hasAny(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { _, ok := h[n]; return ok })
}

func (h headers) text(name string) string { return clean(h[name]) }

// clean makes text of bytes that may be anything.
func clean(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// number reads decimal text; -1 when it is missing, malformed or negative.
func (h headers) number(name string, bits int) int64 {
	n, err := strconv.ParseInt(string(h[name]), 10, bits)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func (h headers) count(name string) int {
	n, err := strconv.Atoi(string(h[name]))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// bigEndian reads a big-endian two's complement integer of up to eight bytes
// (Java's ByteBuffer.putInt, putLong and BigInteger.toByteArray); -1 when it is
// missing or longer.
func (h headers) bigEndian(name string) int64 {
	b, ok := h[name]
	if !ok || len(b) == 0 || len(b) > 8 {
		return -1
	}
	switch len(b) {
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	}
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n.Int64()
}

func (h headers) time(name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, string(h[name]))
	if err != nil {
		return time.Time{}
	}
	return t
}
