package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/share"
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
