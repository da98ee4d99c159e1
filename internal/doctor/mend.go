package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// Mended is what became of one damaged log.
type Mended struct {
	Topic     string      `json:"topic"`
	Partition int32       `json:"partition"`
	How       plog.Repair `json:"how"`
	Loss      plog.Loss   `json:"loss"`
	// Left says why transactions whose end is lost were left open; empty when they were
	// ended.
	Left string `json:"left,omitempty"`
	// Aside is where the files that were replaced are kept; empty when none were.
	Aside string `json:"aside,omitempty"`
	Error string `json:"error,omitempty"`
}

// Repair makes the damaged logs that want chooses whole again, in the way that was
// decided, and returns what became of each. It counts as a start: what is written
// after it belongs to a new leader epoch, so that clients notice what is gone. Each
// repair is noted in the directory. Transactions whose end is lost are ended as they
// were decided, or aborted when nobody knows of a decision. A write-ahead log whose damage nobody can
// attribute is given up in the same way first.
func Repair(ctx context.Context, fsys vfs.FS, dir string, how plog.Repair, want func(topic string, partition int32) bool) (done []Mended, err error) {
	err = withStore(fsys, dir, plog.Options{GiveUp: how}, func(store *plog.Store, found *plog.Report) error {
		if found.GivenUp != "" {
			err := store.Note(plog.Incident{What: plog.IncidentRepaired, Partition: -1, Last: -1,
				Text: fmt.Sprintf("%s: %s", how, found.GivenUp)})
			if err != nil {
				return err
			}
		}
		logs := store.Logs()
		// What the log of transactions says decides about the others.
		slices.SortStableFunc(logs, func(a, b *plog.Log) int { return cmp.Compare(own(b), own(a)) })
		fates := sync.OnceValues(func() (fatesOf, error) { return broker.TransactionFates(store) })
		for _, l := range logs {
			id := l.ID()
			if !want(l.Topic(), id.Partition) {
				continue
			}
			d, err := store.Diagnose(ctx, l)
			if err != nil {
				return err
			}
			if !d.Damaged() {
				continue
			}
			done = append(done, mend(ctx, store, d, how, fates))
		}
		return nil
	})
	return done, err
}

// own is 1 for the log of transactions.
func own(l *plog.Log) int {
	if l.Topic() == broker.TransactionsTopic {
		return 1
	}
	return 0
}

// fatesOf tells the fates of transactions in a partition.
type fatesOf = func(topic string, partition int32) plog.Fate

func mend(ctx context.Context, store *plog.Store, d *plog.Diagnosis, how plog.Repair, fates func() (fatesOf, error)) Mended {
	m := Mended{Topic: d.Topic, Partition: d.ID.Partition, How: how, Loss: d.Cut}
	if how == plog.RepairKeep {
		m.Loss = d.Keep
	}
	var fate plog.Fate
	if d.Topic != broker.TransactionsTopic {
		if of, err := fates(); err == nil {
			fate = of(d.Topic, d.ID.Partition)
		} else {
			m.Left = fmt.Sprintf("transactions that are open in it were left open, since nobody knows their fate: %v", err)
		}
	}
	aside, err := store.Repair(ctx, d, how, fate)
	m.Aside = aside
	if err == nil {
		err = store.Note(plog.Incident{What: plog.IncidentRepaired, Topic: d.Topic, TopicID: d.ID.Topic.String(), Partition: d.ID.Partition,
			Bytes: m.Loss.Bytes, First: m.Loss.End, Last: m.Loss.End - 1,
			Text: fmt.Sprintf("%s: %d offsets given up, the log ends at %d; what was replaced is in %s", how, m.Loss.Offsets, store.Log(d.ID).End(), aside)})
	}
	if err != nil {
		m.Error = err.Error()
	}
	return m
}

// Materialize moves everything that a crash has left in the write-ahead log into
// segments, as a start and a clean stop would, so that Kafka's tools read all of it.
func Materialize(fsys vfs.FS, dir string) (report *plog.Report, err error) {
	err = withStore(fsys, dir, plog.Options{}, func(_ *plog.Store, found *plog.Report) error {
		report = found
		return nil
	})
	return report, err
}

// withStore opens the store of a directory for changes, and stops it cleanly.
func withStore(fsys vfs.FS, dir string, opt plog.Options, fn func(*plog.Store, *plog.Report) error) (err error) {
	d, err := broker.LookAt(fsys, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Start(); err != nil {
		return err
	}
	store, found, err := d.OpenStore(fsys, opt)
	if err != nil {
		return err
	}
	return errors.Join(fn(store, found), store.Close())
}
