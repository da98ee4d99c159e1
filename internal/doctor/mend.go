package doctor

import (
	"context"
	"errors"
	"fmt"

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
	// Aside is where the files that were replaced are kept; empty when none were.
	Aside string `json:"aside,omitempty"`
	Error string `json:"error,omitempty"`
}

// Repair makes the damaged logs that want chooses whole again, in the way that was
// decided, and returns what became of each. It counts as a start: what is written
// after it belongs to a new leader epoch, so that clients notice what is gone. Each
// repair is noted in the directory. A write-ahead log whose damage nobody can
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
		for _, l := range store.Logs() {
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
			done = append(done, mend(ctx, store, d, how))
		}
		return nil
	})
	return done, err
}

func mend(ctx context.Context, store *plog.Store, d *plog.Diagnosis, how plog.Repair) Mended {
	m := Mended{Topic: d.Topic, Partition: d.ID.Partition, How: how, Loss: d.Cut}
	if how == plog.RepairKeep {
		m.Loss = d.Keep
	}
	aside, err := store.Repair(ctx, d, how)
	m.Aside = aside
	if err == nil {
		err = store.Note(plog.Incident{What: plog.IncidentRepaired, Topic: d.Topic, TopicID: d.ID.Topic.String(), Partition: d.ID.Partition,
			Bytes: m.Loss.Bytes, First: m.Loss.End, Last: m.Loss.End - 1,
			Text: fmt.Sprintf("%s: %d offsets given up, the log ends at %d; what was replaced is in %s", how, m.Loss.Offsets, m.Loss.End, aside)})
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
