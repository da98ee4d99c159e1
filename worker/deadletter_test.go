package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/twmb/franz-go/pkg/kgo"
)

func header(r *kgo.Record, name string) string {
	v, _ := event.Header(r.Headers, name)
	return string(v)
}

// A dead letter is the record whole, with KIP-1191's headers and Leat's own behind
// those it had, in the partition with its source's number.
func TestDeadLetterKeepsTheRecordWhole(t *testing.T) {
	inBubble(t, 4, []string{"in", "out"}, func(t *testing.T, b *bench) {
		b.cluster.CreateTopic(t, "dlq", 2)
		stamp := time.Date(2020, 2, 3, 4, 5, 6, 789e6, time.UTC)
		value := []byte{0xff, 0xfe, 0, 1}
		b.put(&kgo.Record{Topic: "in", Partition: 3, Value: []byte("first")})
		b.put(&kgo.Record{Topic: "in", Partition: 3, Key: []byte("k"), Value: value, Timestamp: stamp, Headers: []kgo.RecordHeader{
			{Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
			{Key: "twice", Value: []byte("1")}, {Key: "ce_id", Value: []byte("e-7")}, {Key: "twice", Value: []byte("2")},
		}})
		r := b.start(Config{DeadLetter: DeadLetter{Topic: "dlq", Pipeline: "support", Step: "mood", Model: "sentiment",
			Announce: func(d DeadLettered) []*kgo.Record {
				return []*kgo.Record{{Topic: "out", Key: []byte(d.Message.Identity.ID), Value: []byte(event.Position(d.Topic, d.Partition, d.Offset))}}
			}},
			Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
				out := make([]Outcome, len(ms))
				for i, m := range ms {
					out[i] = Done()
					if m.Offset == 1 {
						out[i] = Failed(&Error{Class: Poison, Stage: "decode", Err: fmt.Errorf("value: %w", errors.New("not JSON"))})
					}
				}
				return out, nil
			})})
		b.until("both are committed", func() bool { return b.committed("g") == 2 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		dead := b.all("dlq")
		if len(dead) != 1 {
			t.Fatalf("%d dead letters", len(dead))
		}
		d := dead[0]
		if d.Partition != 3%2 || string(d.Key) != "k" || !bytes.Equal(d.Value, value) || !d.Timestamp.Equal(stamp) {
			t.Errorf("the dead letter is %d %q %q %v", d.Partition, d.Key, d.Value, d.Timestamp)
		}
		var hs []string
		for _, h := range d.Headers {
			hs = append(hs, h.Key+"="+string(h.Value))
		}
		got := strings.Join(hs, "\n")
		for _, varying := range []string{"first-failed-at", "last-failed-at"} {
			at, err := time.Parse(time.RFC3339, header(d, "leat.dlq."+varying))
			if err != nil || at.IsZero() {
				t.Errorf("%s: %v", varying, err)
			}
			got = strings.Replace(got, header(d, "leat.dlq."+varying), "T", 1)
		}
		want := `traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
twice=1
ce_id=e-7
twice=2
__dlq.errors.topic=in
__dlq.errors.partition=3
__dlq.errors.offset=1
__dlq.errors.group=g
__dlq.errors.delivery.count=1
__dlq.errors.message=value: not JSON
leat.dlq.pipeline=support
leat.dlq.step=mood
leat.dlq.model=sentiment
leat.dlq.event-id=e-7
leat.dlq.class=poison
leat.dlq.stage=decode
leat.dlq.disposition=open
leat.dlq.first-failed-at=T
leat.dlq.last-failed-at=T
leat.dlq.fingerprint=` + Fingerprint("poison", "value: not JSON") + `
leat.dlq.redrive-count=0`
		if got != want {
			t.Errorf("headers:\n%s\nwant:\n%s", got, want)
		}
		said := b.all("out")
		if len(said) != 1 || string(said[0].Key) != "e-7" || string(said[0].Value) != event.Position("dlq", d.Partition, d.Offset) {
			t.Errorf("announced: %v", said)
		}
	})
}

// A record near the topic's limit with a long reason: the reason is cut, never the
// payload. A result that is too large for its topic is that record's fault.
func TestOversize(t *testing.T) {
	inBubble(t, 1, []string{"in", "dlq"}, func(t *testing.T, b *bench) {
		b.cluster.CreateTopic(t, "out", 1, "max.message.bytes=3000")
		large := strings.Repeat("x", 990_000)
		reason := strings.Repeat("because ", 10_000)
		b.put(&kgo.Record{Topic: "in", Value: []byte(large)})
		b.put(&kgo.Record{Topic: "in", Value: []byte("grows")})
		b.put(&kgo.Record{Topic: "in", Value: []byte("fine")})
		r := b.start(Config{DeadLetter: DeadLetter{Topic: "dlq"}, Batch: Batch{Max: 3}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			out := echo(ms)
			for i, m := range ms {
				switch {
				case len(m.Value) > 1000:
					out[i] = Failed(NewError(Poison, errors.New(reason)))
				case string(m.Value) == "grows":
					out[i] = Done(&kgo.Record{Topic: "out", Value: bytes.Repeat([]byte("y"), 5000)})
				}
			}
			return out, nil
		})})
		b.until("everything is committed", func() bool { return b.committed("g") == 3 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if out := b.all("out"); len(out) != 1 || string(out[0].Value) != "fine" {
			t.Errorf("%d came out", len(out))
		}
		dead := b.all("dlq")
		if len(dead) != 2 {
			t.Fatalf("%d dead letters", len(dead))
		}
		for _, d := range dead {
			switch string(d.Value) {
			case large:
				m := header(d, HeaderDLQMessage)
				if len(m) < leastText || len(m) >= 60_000 || !strings.HasPrefix(m, "because ") {
					t.Errorf("the reason has %d bytes: %.40s", len(m), m)
				}
			case "grows":
				if header(d, HeaderDLQStage) != "produce" || header(d, HeaderDLQClass) != "poison" {
					t.Errorf("oversize result: stage %s, class %s", header(d, HeaderDLQStage), header(d, HeaderDLQClass))
				}
			default:
				t.Errorf("a dead letter of %d bytes: the payload was cut", len(d.Value))
			}
		}
	})
}

// The stack of a panic is kept where there is room, and is the first to be cut.
func TestPanicStack(t *testing.T) {
	inBubble(t, 1, []string{"in", "dlq", "out"}, func(t *testing.T, b *bench) {
		b.put(&kgo.Record{Topic: "in", Value: []byte("fine")}, &kgo.Record{Topic: "in", Value: []byte("small")},
			&kgo.Record{Topic: "in", Value: bytes.Repeat([]byte("x"), 999_000)})
		r := b.start(Config{Retry: quick, DeadLetter: DeadLetter{Topic: "dlq"}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			if !has(ms, "fine") {
				panic(strings.Repeat("no ", 20_000))
			}
			return echo(ms), nil
		})})
		b.until("both guilty ones are given up", func() bool { return b.committed("g") == 3 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		for _, d := range b.all("dlq") {
			stack, message := header(d, HeaderDLQStacktrace), header(d, HeaderDLQMessage)
			if !strings.HasPrefix(message, "the handler panicked: no no ") {
				t.Errorf("the message is %.40q", message)
			}
			if small := len(d.Value) == 5; small != strings.Contains(stack, "TestPanicStack") {
				t.Errorf("a value of %d bytes with a stack of %d", len(d.Value), len(stack))
			}
		}
		if n := b.count("dlq"); n != 2 {
			t.Errorf("%d dead letters", n)
		}
	})
}

func TestFingerprintIgnoresWhatVaries(t *testing.T) {
	a := Fingerprint("poison", `record 17 of "orders": id 6ba7b810-9dad-11d1-80b4-00c04fd430c8 at 0xdeadBEEF`)
	b := Fingerprint("poison", `record 9 of "returns": id 00000000-9dad-11d1-80b4-00c04fd430c8 at 0x1`)
	if a != b {
		t.Error("one cause has two fingerprints")
	}
	if a == Fingerprint("retriable", `record 17 of "orders"`) || a == Fingerprint("poison", "not JSON") {
		t.Error("two causes have one fingerprint")
	}
}
