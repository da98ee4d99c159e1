package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Headers of a dead letter. The first six are those of KIP-1191 (share groups,
// Kafka 4.4), all values UTF-8 text and numbers in decimal; the others are Leat's
// own. A dead letter has them after the record's original headers, beginning with
// HeaderDLQTopic.
const (
	HeaderDLQTopic         = "__dlq.errors.topic"
	HeaderDLQPartition     = "__dlq.errors.partition"
	HeaderDLQOffset        = "__dlq.errors.offset"
	HeaderDLQGroup         = "__dlq.errors.group"
	HeaderDLQDeliveryCount = "__dlq.errors.delivery.count"
	HeaderDLQMessage       = "__dlq.errors.message"

	HeaderDLQPipeline     = "leat.dlq.pipeline"
	HeaderDLQStep         = "leat.dlq.step"
	HeaderDLQModel        = "leat.dlq.model"
	HeaderDLQEventID      = "leat.dlq.event-id"
	HeaderDLQClass        = "leat.dlq.class" // poison or retriable
	HeaderDLQStage        = "leat.dlq.stage" // decode, validate, process, call, output, produce
	HeaderDLQDisposition  = "leat.dlq.disposition"
	HeaderDLQFirstFailed  = "leat.dlq.first-failed-at" // RFC 3339, UTC
	HeaderDLQLastFailed   = "leat.dlq.last-failed-at"
	HeaderDLQFingerprint  = "leat.dlq.fingerprint"
	HeaderDLQStacktrace   = "leat.dlq.stacktrace"
	HeaderDLQRedriveCount = "leat.dlq.redrive-count"
	HeaderDLQRedriveID    = "leat.dlq.redrive-id"
)

// Fingerprint groups dead letters by cause: a short hash of the class and the
// message without what differs from record to record (numbers, quoted text, ids,
// addresses).
func Fingerprint(class, message string) string {
	sum := sha256.Sum256([]byte(class + "\x00" + NormalMessage(message)))
	return hex.EncodeToString(sum[:6])
}

var varying = regexp.MustCompile(`"[^"]*"|'[^']*'|` + "`[^`]*`" + `|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b0x[0-9a-fA-F]+\b|\d+`)

// NormalMessage returns message with what varies between records replaced by "#",
// at most its first 500 bytes.
func NormalMessage(message string) string {
	if len(message) > 500 {
		message = strings.ToValidUTF8(message[:500], "")
	}
	return varying.ReplaceAllString(message, "#")
}

// deadLetter writes m to the dead-letter topic and finishes it when that is
// acknowledged. It runs in a goroutine of its own.
func (w *Worker) deadLetter(m *Message, err error) {
	if w.cfg.DeadLetter.Topic == "" {
		w.fail(fmt.Errorf("record %s failed for good and there is no dead-letter topic to put it in (set DeadLetter.Topic): %w",
			event.Position(m.Topic, m.Partition, m.Offset), err))
		w.abandon([]*Message{m})
		return
	}
	w.measureDeadLetter(m, err, 0)
}

// measureDeadLetter finds out how large the dead letter may be, and writes it.
func (w *Worker) measureDeadLetter(m *Message, cause error, try int) {
	if err := w.limits.learn(w.work, w.cl, w.cfg.DeadLetter.Topic); err != nil {
		w.waitOutProduce(err, try, func() { w.measureDeadLetter(m, cause, try+1) }, func(error) { w.abandon([]*Message{m}) })
		return
	}
	w.writeDeadLetter(m, cause, int(w.limits.of(w.cfg.DeadLetter.Topic)), 0)
}

func (w *Worker) writeDeadLetter(m *Message, cause error, limit, try int) {
	r := w.deadLetterRecord(m, cause, limit)
	w.cl.Produce(w.work, r, func(r *kgo.Record, err error) {
		switch {
		case err == nil:
			w.calls.Go(func() { w.deadLettered(m, r, cause) })
		case w.work.Err() != nil || errors.Is(err, kgo.ErrClientClosed):
			w.abandon([]*Message{m})
		case errors.Is(err, kerr.MessageTooLarge) && limit > 0:
			// The topic takes less than it says, or the payload alone is at its
			// limit: once more with the least text there can be.
			w.calls.Go(func() { w.writeDeadLetter(m, cause, 0, try) })
		case kerr.IsRetriable(err) && !errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, context.DeadlineExceeded):
			w.waitOutProduce(err, try, func() { w.writeDeadLetter(m, cause, limit, try+1) }, func(error) { w.abandon([]*Message{m}) })
		default:
			w.fail(fmt.Errorf("record %s failed for good (%w) and cannot be written to the dead-letter topic %q: %w; it is not committed. Create the topic, allow writing to it, or raise its max.message.bytes above the source topic's, and start again",
				event.Position(m.Topic, m.Partition, m.Offset), cause, w.cfg.DeadLetter.Topic, err))
			w.abandon([]*Message{m})
		}
	})
}

// deadLettered follows an acknowledged dead letter: announce, then finish.
func (w *Worker) deadLettered(m *Message, r *kgo.Record, cause error) {
	class := ClassOf(cause)
	w.mu.Lock()
	w.meter.deadLetter(m.Topic, class)
	w.mu.Unlock()
	w.cfg.Logger.Warn("dead letter", "group", w.cfg.Group, "record", event.Position(m.Topic, m.Partition, m.Offset),
		"dead_letter", event.Position(r.Topic, r.Partition, r.Offset), "class", class.String(), "error", cause)
	var announcements []*kgo.Record
	if w.cfg.DeadLetter.Announce != nil {
		announcements = w.cfg.DeadLetter.Announce(DeadLettered{Message: m, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Err: cause, Class: class})
	}
	for _, a := range announcements {
		w.address(a, m)
	}
	w.produceAll(announcements, func(err error) {
		switch {
		case errors.Is(err, errGivenUp):
			w.abandon([]*Message{m})
		case err != nil:
			w.fail(fmt.Errorf("the announcement of dead letter %s cannot be written: %w", event.Position(r.Topic, r.Partition, r.Offset), err))
			w.abandon([]*Message{m})
		default:
			w.finish([]*Message{m}, Outcome{kind: outcomeFailed})
		}
	})
}

// reason is a failure's text without its class, which has a header of its own.
func reason(err error) string {
	if e, ok := err.(*Error); ok && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}

// leastText is how much of the reason is kept when a dead letter is at its limit.
const leastText = 256

// deadLetterRecord makes the dead letter of m: everything m had, and why. The stack
// trace and then the message are cut so that the record stays within limit; the
// payload never is. A limit of zero asks for the least text.
func (w *Worker) deadLetterRecord(m *Message, cause error, limit int) *kgo.Record {
	d, class := w.cfg.DeadLetter, ClassOf(cause).String()
	message, stack := strings.ToValidUTF8(reason(cause), "\uFFFD"), string(stackOf(cause))
	r := &kgo.Record{Topic: d.Topic, Key: m.Key, Value: m.Value, Timestamp: m.Timestamp, Partition: m.Partition}
	build := func() {
		r.Headers = append(make([]kgo.RecordHeader, 0, len(m.Headers)+18), m.Headers...)
		add := func(name, value string) {
			if value != "" {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
			}
		}
		add(HeaderDLQTopic, m.Topic)
		add(HeaderDLQPartition, strconv.Itoa(int(m.Partition)))
		add(HeaderDLQOffset, strconv.FormatInt(m.Offset, 10))
		add(HeaderDLQGroup, w.cfg.Group)
		add(HeaderDLQDeliveryCount, strconv.Itoa(max(m.attempts, 1)))
		add(HeaderDLQMessage, message)
		add(HeaderDLQPipeline, d.Pipeline)
		add(HeaderDLQStep, d.Step)
		add(HeaderDLQModel, d.Model)
		add(HeaderDLQEventID, m.Identity.ID)
		add(HeaderDLQClass, class)
		add(HeaderDLQStage, stageOf(cause))
		add(HeaderDLQDisposition, "open")
		add(HeaderDLQFirstFailed, stamp(m.firstFailAt))
		add(HeaderDLQLastFailed, stamp(m.lastFailAt))
		add(HeaderDLQFingerprint, Fingerprint(class, reason(cause)))
		add(HeaderDLQRedriveCount, redriveHeader(m.Headers, HeaderDLQRedriveCount, "0"))
		add(HeaderDLQRedriveID, redriveHeader(m.Headers, HeaderDLQRedriveID, ""))
		add(HeaderDLQStacktrace, stack)
	}
	build()
	over := recordSize(r) + 16*len(r.Headers) + 256 - limit // what framing can add at most
	if over > 0 && stack != "" {
		stack, over = cut(stack, over, 0)
		build()
	}
	if over > 0 {
		message, _ = cut(message, over, leastText)
		build()
	}
	return r
}

// cut takes at least n bytes off the end of s but leaves least, and returns how
// many are still too many.
func cut(s string, n, least int) (string, int) {
	keep := max(len(s)-n, least)
	if keep >= len(s) {
		return s, n
	}
	return strings.ToValidUTF8(s[:keep], ""), n - (len(s) - keep)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

func redriveHeader(hs []kgo.RecordHeader, name, otherwise string) string {
	if v, ok := event.Header(hs, name); ok && len(v) <= 64 {
		return strings.ToValidUTF8(string(v), "")
	}
	return otherwise
}
