package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/plog"
)

// Dead letters of share groups (KIP-1191): the record whole, with headers that say
// what happened, in one append with the state that says it is finished.

// deadHeader begins the names of the headers that are added.
const deadHeader = "__dlq.errors."

// What is written of dead letters in one append.
const (
	deadAtOnce = 1000
	deadBytes  = 1 << 20
)

// bury writes the dead letters that there are. It returns what an answer has to wait
// for; the error says why they cannot be written now.
func (sp *sharePart) bury() (plog.Pos, error) {
	sp.burying.Lock()
	defer sp.burying.Unlock()
	for {
		sp.mu.Lock()
		if sp.gone || sp.m == nil {
			sp.mu.Unlock()
			return 0, nil
		}
		d, ok := sp.m.Dying(deadAtOnce)
		view, pos, why := sp.view, sp.answerAt(), sp.m.Unburied()
		sp.mu.Unlock()
		switch {
		case ok:
		case why != "":
			return pos, errors.New(why)
		default:
			return pos, nil
		}
		if err := sp.buryRange(d, view); err != nil {
			sp.mu.Lock()
			_, ferr := sp.step(share.BuryFailed{Why: err.Error()})
			sp.mu.Unlock()
			return 0, errors.Join(err, ferr)
		}
	}
}

// buryRange writes the dead letters of a range, or of the beginning of it.
func (sp *sharePart) buryRange(d share.Dead, view *catalog.ShareView) error {
	grave, err := sp.grave(view.DeadLetterTopic)
	if err != nil {
		return err
	}
	letters, last, err := sp.letters(d, view.CopyRecord)
	if err != nil {
		return err
	}
	batches, size, err := deadBatches(letters, grave.View())
	if err != nil {
		return err
	}
	release, err := sp.shares.b.Store.Admit(context.Background(), size)
	if err != nil {
		return err
	}
	defer release()
	ops := make([]plog.Op, len(batches))
	for i, b := range batches {
		ops[i] = plog.Append(grave.Log, b)
	}
	if mutant.On("share-dead-letter-apart") {
		_, pos, err := sp.shares.b.Store.Submit(ops...)
		if err == nil {
			err = sp.shares.settled(pos)
		}
		if err != nil {
			return err
		}
		ops = nil
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.gone {
		return nil
	}
	if now, ok := sp.m.Dying(deadAtOnce); !ok || now.First != d.First || now.Last < last {
		return nil // an administrator has set the offset meanwhile
	}
	if _, err = sp.step(share.Buried{First: d.First, Last: last}, ops...); err == nil {
		sp.counts.dead += int64(len(letters))
	}
	return err
}

// grave is the partition that the dead letters go to. An error says what is wrong with
// the topic.
func (sp *sharePart) grave(topic string) (*Partition, error) {
	b := sp.shares.b
	snap := b.Catalog.Snapshot()
	if prefix := snap.Text("errors.deadletterqueue.topic.name.prefix"); !strings.HasPrefix(topic, prefix) {
		return nil, fmt.Errorf("the name of the dead-letter topic %s does not begin with %s (errors.deadletterqueue.topic.name.prefix)", topic, prefix)
	}
	t := snap.Topic(topic)
	if t == nil {
		if !snap.Bool("errors.deadletterqueue.auto.create.topics.enable") {
			return nil, fmt.Errorf("the dead-letter topic %s does not exist, and errors.deadletterqueue.auto.create.topics.enable is false: create it with errors.deadletterqueue.group.enable=true", topic)
		}
		if err := b.EnsureTopic(context.Background(), topic, -1, map[string]string{"errors.deadletterqueue.group.enable": "true"}); err != nil {
			return nil, fmt.Errorf("the dead-letter topic %s cannot be made: %w", topic, err)
		}
		if t = b.Catalog.Snapshot().Topic(topic); t == nil {
			return nil, fmt.Errorf("the dead-letter topic %s does not exist", topic)
		}
	}
	switch {
	case !t.View.DeadLetters:
		return nil, fmt.Errorf("topic %s does not take dead letters: set its errors.deadletterqueue.group.enable", topic)
	case t.View.Log.Compact:
		return nil, fmt.Errorf("topic %s is compacted, which would lose dead letters: set its cleanup.policy to delete", topic)
	}
	p := b.PartitionByID(t.ID, sp.key.partition%t.Partitions)
	if p == nil {
		return nil, fmt.Errorf("the dead-letter topic %s has just been deleted", topic)
	}
	return p, nil
}

// letters makes the dead letters of a range, up to deadBytes of them; last is how far
// they go. Records that are no more in the log have none.
func (sp *sharePart) letters(d share.Dead, whole bool) (out []kafka.Record, last int64, err error) {
	if !whole {
		now := sp.shares.b.Now().UnixMilli()
		for o := d.First; o <= d.Last; o++ {
			out = append(out, kafka.Record{Offset: o, Timestamp: now, Headers: sp.deadHeaders(nil, o, d)})
		}
		return out, d.Last, nil
	}
	log, size := sp.part.Log, 0
	at := max(d.First, log.Start())
	for at <= d.Last && size < deadBytes {
		b, err := log.Read(at, deadBytes, true)
		if err != nil {
			return nil, 0, fmt.Errorf("the records cannot be read: %w", err)
		}
		if len(b) == 0 {
			break // nothing is there any more
		}
		for len(b) > 0 && at <= d.Last && size < deadBytes {
			var batch kafka.Batch
			if batch, b, err = kafka.NextBatch(b); err != nil {
				return nil, 0, fmt.Errorf("the records cannot be read: %w", err)
			}
			for r, err := range batch.Records(openLimit) {
				switch {
				case err != nil:
					return nil, 0, fmt.Errorf("the records cannot be read: %w", err)
				case r.Offset < at || batch.Control():
					continue
				}
				if r.Offset > d.Last || size >= deadBytes {
					break
				}
				at = r.Offset + 1
				size += len(r.Key) + len(r.Value)
				r.Headers = sp.deadHeaders(r.Headers, r.Offset, d)
				out = append(out, r)
			}
			if size < deadBytes {
				at = max(at, batch.NextOffset())
			}
		}
	}
	if size < deadBytes {
		return out, d.Last, nil
	}
	return out, min(at-1, d.Last), nil
}

// deadHeaders adds what happened to a record's own headers.
func (sp *sharePart) deadHeaders(own []kafka.Header, offset int64, d share.Dead) []kafka.Header {
	add := func(name, value string) {
		own = append(own, kafka.Header{Key: deadHeader + name, Value: []byte(value)})
	}
	add("topic", sp.part.Topic())
	add("partition", strconv.Itoa(int(sp.key.partition)))
	add("offset", strconv.FormatInt(offset, 10))
	add("group", sp.key.group)
	add("delivery.count", strconv.Itoa(int(d.Count)))
	add("message", d.Cause.String())
	return own
}

// deadBatches puts dead letters into batches that the topic takes; one that is larger
// than it takes is alone in one, and goes in all the same: it was taken once.
func deadBatches(letters []kafka.Record, view *catalog.View) (out []kafka.Batch, size int, err error) {
	for len(letters) > 0 {
		n, bytes := 0, kafka.BatchOverhead
		for n < len(letters) {
			more := len(letters[n].Key) + len(letters[n].Value) + 32
			for _, h := range letters[n].Headers {
				more += len(h.Key) + len(h.Value) + 10
			}
			if n > 0 && bytes+more > min(view.MaxMessageBytes, deadBytes) {
				break
			}
			bytes += more
			n++
		}
		b := kafka.Build(kafka.BatchSpec{}, letters[:n])
		if view.Recompress && b.Codec() != view.Codec {
			if b, err = b.Recompress(view.Codec, openLimit); err != nil {
				return nil, 0, err
			}
		}
		out, size, letters = append(out, b), size+len(b), letters[n:]
	}
	return out, size, nil
}
