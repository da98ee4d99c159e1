//go:build sim

package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// check compares a broker that has just started with what clients remember:
// topics, every record of every partition, indexes, and the offsets of groups.
// What it reads counts as seen.
func (r *run) check() error {
	b := r.b
	if b.Epoch <= r.mem.epoch {
		return fmt.Errorf("leader epoch %d after %d", b.Epoch, r.mem.epoch)
	}
	r.mem.epoch = b.Epoch
	r.untidy = r.untidy && b.Recovery.Clean
	if err := r.checkTopics(); err != nil {
		return err
	}
	if err := r.checkFenced(); err != nil {
		return err
	}
	for _, t := range r.mem.topics {
		if t.state != live {
			continue
		}
		for _, p := range t.parts {
			r.tuneLog(p)
			if p.damaged {
				continue
			}
			if err := r.checkPartition(p); err != nil {
				return err
			}
		}
	}
	return errors.Join(r.checkCommits(), r.checkTxns(), r.checkShares(), r.checkTeam())
}

// checkFenced looks at what the start has found damaged: nothing, but what errors of
// the disk have made look so, in this life or an earlier one.
func (r *run) checkFenced() error {
	fenced := maps.Clone(r.b.Recovery.Fenced)
	for _, t := range r.mem.topics {
		for _, p := range t.parts {
			id := plog.ID{Topic: t.id, Partition: p.index}
			_, is := fenced[id]
			delete(fenced, id)
			if is && r.faulty() {
				p.damaged = true
			}
			if is != p.damaged && t.state == live {
				return fmt.Errorf("%s is fenced: %v, and was: %v: a crash alone is taken for damage: %+v", p, is, p.damaged, *r.b.Recovery)
			}
		}
	}
	if len(fenced) > 0 && r.faulty() {
		r.mem.groupsRuined = true
	}
	if (len(fenced) > 0) != r.mem.groupsRuined || r.b.Recovery.Kept != "" && !r.faulty() {
		return fmt.Errorf("a crash alone is taken for damage: %+v", *r.b.Recovery)
	}
	return nil
}

// checkTopics compares the catalogue, and settles what was under way.
func (r *run) checkTopics() error {
	s := r.b.Catalog.Snapshot()
	known := map[string]bool{broker.OffsetsTopic: true, broker.TransactionsTopic: true, txnTopic: true, catalog.ShareStateTopic: true, graveyard: true}
	for _, t := range r.mem.topics {
		there := s.TopicByID(t.id)
		if t.state == creating {
			// Its id is not known: it is the one that bears its name now, if any.
			if there = s.Topic(t.name); there != nil && t == r.mem.topic(t.name) {
				t.id, t.state = there.ID, live
			} else {
				there, t.state = nil, deleted
			}
		}
		switch {
		case there == nil && t.state == live:
			return fmt.Errorf("topic %s (%s) is gone", t.name, t.id)
		case there != nil && t.state == deleted:
			return fmt.Errorf("topic %s (%s), which was deleted, is back", t.name, t.id)
		case there == nil:
			t.state = deleted
			continue
		}
		t.state = live
		if n := int(there.Partitions); n < len(t.parts) || n > t.asked {
			return fmt.Errorf("topic %s has %d partitions: %d were there, %d were asked for", t.name, n, len(t.parts), t.asked)
		}
		t.grow(int(there.Partitions))
		t.asked = int(there.Partitions)
		if !maps.Equal(there.Configs, t.configs) {
			return fmt.Errorf("topic %s has configs %v, it was made with %v", t.name, there.Configs, t.configs)
		}
		known[t.name] = true
	}
	for _, t := range s.Topics() {
		if !known[t.Name] {
			return fmt.Errorf("topic %s (%s) was made by nobody", t.Name, t.ID)
		}
	}
	return nil
}

// found is what a partition holds: all that can be read.
type found struct {
	at      map[*record]int64
	records []foundRecord
}

type foundRecord struct {
	offset, time int64
	epoch        int32
	rec          *record
}

// checkPartition reads all of a partition and compares.
func (r *run) checkPartition(p *partition) error {
	at := r.find(p)
	if at == nil {
		return nil
	}
	l := at.Log
	was := map[int64]*record{} // by where it was told or seen to be
	maps.Copy(was, p.at)
	end := l.HighWatermark()
	if l.End() != end {
		return fmt.Errorf("%s: ends at %d and shows %d after the start", p, l.End(), end)
	}
	p.found = &found{at: map[*record]int64{}}
	defer func() { p.found = nil }()
	for next := l.Start(); next < end; {
		to, err := r.read(at, p, next, 64<<10)
		if errors.Is(err, kerr.OffsetOutOfRange) {
			to, err = l.Start(), nil // retention has moved it
		}
		if err != nil {
			return err
		}
		next = max(to, l.Start())
	}
	if err := errors.Join(p.startSeen(l.Start()), p.endSeen(l.HighWatermark())); err != nil {
		return err
	}
	for _, offset := range slices.Sorted(maps.Keys(was)) {
		rec := was[offset]
		_, there := p.found.at[rec]
		switch {
		case rec.level == lost || there:
		case offset < p.start:
			delete(p.at, offset)
		case rec.level == unknown: // it was only written, and the power went
			delete(p.at, offset)
			rec.offset = -1
			if p.topic.kind != compacted {
				rec.level = lost
			}
		case p.topic.kind == compacted && offset < end:
			if err := p.superseded(rec); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s: %s at offset %d is lost: it was %s", p, rec.id, offset, rec.level)
		}
	}
	if p.topic.kind != compacted {
		if err := r.checkSent(p); err != nil {
			return err
		}
	}
	return r.checkIndexes(at, p)
}

// superseded checks that a record which compaction took from a log was not the
// last of its key.
func (p *partition) superseded(rec *record) error {
	for _, o := range p.keys[rec.key] {
		at, there := p.found.at[o]
		switch {
		case o == rec:
		case there && at > rec.offset:
			return nil
		case !there && o.value == nil && (o.offset > rec.offset || o.offset < 0 && o.level != lost):
			return nil // a tombstone that had its time, or may have
		}
	}
	if rec.value != nil {
		return fmt.Errorf("%s: %s at offset %d is lost: it was %s, and is the last value of key %s", p, rec.id, rec.offset, rec.level, rec.key)
	}
	if p.topic.configs["delete.retention.ms"] == keepTombstones {
		return fmt.Errorf("%s: the tombstone %s at offset %d is lost: it was %s, and tombstones are kept for a day", p, rec.id, rec.offset, rec.level)
	}
	// With next to no time to live a tombstone goes between two reads of a check, and
	// what it deletes may have been read before.
	return nil
}

// checkSent looks at what was sent and not answered: a batch is there whole or not
// at all, and one that is not there and is not sent again must stay away.
func (r *run) checkSent(p *partition) error {
	again := map[*batch]bool{}
	for _, prod := range r.mem.producers {
		for _, s := range prod.seqs {
			for _, bt := range s.open {
				again[bt] = true
			}
		}
	}
	for _, f := range p.found.records {
		for _, o := range f.rec.batch.records {
			if _, there := p.found.at[o]; !there && f.offset-int64(slices.Index(f.rec.batch.records, f.rec)) >= p.start {
				return fmt.Errorf("%s: %s is there and %s, of the same batch, is not", p, f.rec.id, o.id)
			}
		}
	}
	for _, rec := range p.sent {
		if !again[rec.batch] {
			rec.level = lost
		}
	}
	p.sent = slices.DeleteFunc(p.sent, func(rec *record) bool { return rec.level == lost })
	return nil
}

// checkIndexes looks offsets, times and epochs up, and compares with what was read.
func (r *run) checkIndexes(at *broker.Partition, p *partition) error {
	recs := p.found.records
	if len(recs) == 0 {
		return nil
	}
	for range 4 {
		f := recs[sched.Draw(len(recs))]
		if _, err := r.read(at, p, f.offset, 1); err != nil && !errors.Is(err, kerr.OffsetOutOfRange) {
			return err
		}
		if e := at.Log.EpochAt(f.offset); e != f.epoch {
			return fmt.Errorf("%s: offset %d is of leader epoch %d, the log says %d", p, f.offset, f.epoch, e)
		}
		if err := r.checkTime(p, at, f.time+int64(sched.Draw(3)-1)); err != nil {
			return err
		}
	}
	if p.topic.kind == appendTime {
		for i := 1; i < len(recs); i++ {
			if recs[i].time < recs[i-1].time {
				return fmt.Errorf("%s: append time goes back from %d to %d at offset %d", p, recs[i-1].time, recs[i].time, recs[i].offset)
			}
		}
	}
	return nil
}

// checkTime compares the offset of a time with that of a search through all.
func (r *run) checkTime(p *partition, at *broker.Partition, ts int64) error {
	want := int64(-1)
	for _, f := range p.found.records {
		if f.offset >= p.start && f.time >= ts {
			want = f.offset
			break
		}
	}
	got, err := at.Log.FirstAt(ts)
	switch {
	case err != nil && r.faulty() && isFault(err):
		return errDisk
	case p.topic.kind == compacted && (got.Offset > want || got.Offset < 0), at.Log.Start() > p.start:
		return nil // it has been compacted or deleted since
	}
	if err != nil || got.Offset != want {
		return fmt.Errorf("%s: the first offset at time %d is %d by the index (%v), and %d by reading all", p, ts, got.Offset, err, want)
	}
	return nil
}

// leftovers looks for directories that no topic has, after a clean stop.
func (r *run) leftovers() error {
	names, err := r.d.mem.List("/data/logs")
	if err != nil {
		return err
	}
	for _, name := range names {
		known := strings.HasPrefix(name, broker.OffsetsTopic+".") || strings.HasPrefix(name, broker.TransactionsTopic+".") || strings.HasPrefix(name, txnTopic+".") ||
			strings.HasPrefix(name, catalog.ShareStateTopic+".") || strings.HasPrefix(name, graveyard+".") || strings.HasPrefix(name, "__leat_catalog.")
		for _, t := range r.mem.topics {
			known = known || t.state == live && name == t.name+"."+t.id.String()
		}
		if !known {
			return fmt.Errorf("directory %s is of no topic", name)
		}
		if err := r.ahead("/data/logs/" + name); err != nil {
			return err
		}
	}
	return nil
}

// ahead looks for segments of a topic that have blocks behind their end.
func (r *run) ahead(topic string) error {
	parts, err := r.d.mem.List(topic)
	if err != nil {
		return err
	}
	for _, part := range parts {
		files, err := r.d.mem.List(topic + "/" + part)
		if err != nil {
			return err
		}
		for _, file := range files {
			name := topic + "/" + part + "/" + file
			info, err := r.d.mem.Stat(name)
			if err != nil {
				return err
			}
			if taken := vfs.Taken(info); taken-info.Size() >= 4096 { // a page may be taken in part
				return fmt.Errorf("%s has %d bytes, and blocks for %d", name, info.Size(), taken)
			}
		}
	}
	return nil
}
