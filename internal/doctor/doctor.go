// Package doctor looks at a data directory that no server runs on, says what is
// wrong with it and what can be done, and does it when somebody has decided.
//
// Looking changes nothing: the directory is opened as a start would open it, over a
// shadow (vfs.Shadow) that keeps every change in memory. So what is told is what
// the next start would do, found by the code that does it.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// Report is what a look at a data directory found. Sizes are in bytes, offsets of
// the end are the next to be given out.
type Report struct {
	Dir       string `json:"dir"`
	Version   int    `json:"version"`
	ClusterID string `json:"cluster_id"`
	// Starts is how often the directory was started: the leader epoch of the last
	// one, too.
	Starts int32 `json:"starts"`
	// Clean says that it was stopped properly: the next start recovers nothing.
	Clean bool `json:"clean"`
	// CheckpointBytes is the size of the checkpoint file.
	CheckpointBytes int64 `json:"checkpoint_bytes"`
	WALFiles        int   `json:"wal_files"`
	WALBytes        int64 `json:"wal_bytes"`
	// Recovered batches stand in the write-ahead log alone.
	Recovered int `json:"recovered_batches"`
	// TornBytes of the write-ahead log would be cut; Torn tells of which logs.
	TornBytes int64  `json:"torn_bytes"`
	Torn      []Torn `json:"torn"`
	// Topics, Partitions and Segments are counted; Bytes are those of all segments.
	Topics     int   `json:"topics"`
	Partitions int   `json:"partitions"`
	Segments   int   `json:"segments"`
	Bytes      int64 `json:"bytes"`
	// Logs are all partitions, and the logs of the broker's own.
	Logs []Log `json:"logs"`
	// Verified says that every byte was read; Batches and Records were.
	Verified bool  `json:"verified"`
	Batches  int64 `json:"batches,omitempty"`
	Records  int64 `json:"records,omitempty"`
	// Problem is why a start would be refused; empty when it would not. Choices are
	// what can be done about it then.
	Problem string   `json:"problem,omitempty"`
	Choices []Choice `json:"choices,omitempty"`
	// Damaged logs want a decision.
	Damaged []Damaged `json:"damaged"`
	// Incidents are what the directory keeps of earlier events, oldest first.
	Incidents []plog.Incident `json:"incidents"`
	// Leftover is what a backup that was cut short has left.
	Leftover []string `json:"leftover,omitempty"`
}

// OK reports whether nothing is damaged. A torn tail is no damage.
func (r *Report) OK() bool { return r.Problem == "" && len(r.Damaged) == 0 }

// Torn is what a torn tail holds of one log.
type Torn struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Bytes     int64  `json:"bytes"`
	First     int64  `json:"first"`
	Last      int64  `json:"last"`
}

// Log is one log as a start would find it.
type Log struct {
	Topic     string `json:"topic"`
	ID        string `json:"id"`
	Partition int32  `json:"partition"`
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	Segments  int    `json:"segments"`
	Bytes     int64  `json:"bytes"`
	// Fenced is why it would be neither read nor written.
	Fenced string `json:"fenced,omitempty"`
}

// Damaged is a log that wants a decision.
type Damaged struct {
	Topic     string `json:"topic"`
	ID        string `json:"id"`
	Partition int32  `json:"partition"`
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	Fenced    string `json:"fenced,omitempty"`
	// Bad ranges of its segments, and what else does not agree.
	Bad   []Bad    `json:"bad"`
	Wrong []string `json:"wrong,omitempty"`
	// Cut and Keep are what the two ways of repairing it cost.
	Cut  plog.Loss `json:"cut"`
	Keep plog.Loss `json:"keep"`

	found *plog.Diagnosis
}

// Bad is a damaged range of a segment.
type Bad struct {
	File string `json:"file"`
	plog.BadRange
}

// Choice is what giving up a part of a write-ahead log costs when nobody can tell
// which logs it held.
type Choice struct {
	How plog.Repair `json:"how"`
	// Batches of the write-ahead log that are kept.
	Batches int `json:"batches"`
	// Fenced logs are left to be decided about then.
	Fenced int `json:"fenced"`
}

// Look tells what a data directory holds and what is wrong with it. verify reads
// every byte of all segments, else only logs that are known to be damaged are read
// whole. Nothing is changed.
func Look(ctx context.Context, fsys vfs.FS, dir string, verify bool) (*Report, error) {
	dir = path.Clean(dir)
	d, err := broker.LookAt(fsys, dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	r := &Report{Dir: dir, Version: d.Version, ClusterID: d.ClusterID, Starts: d.Boots, Verified: verify,
		Torn: []Torn{}, Logs: []Log{}, Damaged: []Damaged{}, Incidents: []plog.Incident{}}
	if err := r.files(fsys); err != nil {
		return nil, err
	}
	store, found, err := openShadow(fsys, d, "")
	if err != nil {
		r.Problem = err.Error()
		if errors.Is(err, plog.ErrUnattributable) {
			r.Choices, err = choices(fsys, d)
			return r, err
		}
		return r, nil
	}
	defer store.Abandon()
	r.describe(store, found)
	return r, r.examine(ctx, store, verify)
}

// openShadow opens the store as a start would, in memory.
func openShadow(fsys vfs.FS, d *broker.Dir, giveUp plog.Repair) (*plog.Store, *plog.Report, error) {
	shadow, err := vfs.NewShadow(fsys, d.Path())
	if err != nil {
		return nil, nil, err
	}
	return d.OpenStore(shadow, plog.Options{GiveUp: giveUp, CheckpointBytes: 1 << 40, DiskReserve: -1})
}

// files looks at the sizes of the files that are not segments.
func (r *Report) files(fsys vfs.FS) error {
	if info, err := fsys.Stat(path.Join(r.Dir, "checkpoint")); err == nil {
		r.CheckpointBytes = info.Size()
	}
	if names, err := fsys.List(path.Join(r.Dir, "wal")); err == nil {
		for _, n := range names {
			if info, err := fsys.Stat(path.Join(r.Dir, "wal", n)); err == nil && strings.HasSuffix(n, ".wal") {
				r.WALFiles++
				r.WALBytes += info.Size()
			}
		}
	}
	if _, err := fsys.Stat(path.Join(r.Dir, "backup.tmp")); err == nil {
		r.Leftover = append(r.Leftover, "backup.tmp: links of a backup that was cut short; the next start removes them")
	}
	ins, err := plog.Incidents(fsys, r.Dir)
	if len(ins) > 0 {
		r.Incidents = ins
	}
	return err
}

func (r *Report) describe(store *plog.Store, found *plog.Report) {
	r.Clean, r.Recovered, r.TornBytes = found.Clean, found.Batches, found.TornBytes
	for _, t := range found.Torn {
		name := t.Topic
		if name == "" {
			name = t.ID.Topic.String()
		}
		r.Torn = append(r.Torn, Torn{Topic: name, Partition: t.ID.Partition, Bytes: t.Bytes, First: t.First, Last: t.Last})
	}
	topics := map[string]bool{}
	for _, l := range store.Logs() {
		id := l.ID()
		e := Log{Topic: l.Topic(), ID: id.Topic.String(), Partition: id.Partition, Start: l.Start(), End: l.End(), Segments: l.Segments(), Bytes: l.Size()}
		if err := l.Fenced(); err != nil {
			e.Fenced = err.Error()
		}
		r.Logs = append(r.Logs, e)
		topics[e.ID] = true
		r.Segments += e.Segments
		r.Bytes += e.Bytes
	}
	r.Topics, r.Partitions = len(topics), len(r.Logs)
}

// examine reads the logs that are known to be damaged, or all of them.
func (r *Report) examine(ctx context.Context, store *plog.Store, verify bool) error {
	suspect := map[string]bool{}
	for _, in := range r.Incidents {
		if in.What == plog.IncidentDamaged {
			suspect[fmt.Sprintf("%s-%d", in.TopicID, in.Partition)] = true
		}
	}
	for _, l := range store.Logs() {
		id := l.ID()
		if !verify && l.Fenced() == nil && !suspect[id.String()] {
			continue
		}
		d, err := store.Diagnose(ctx, l)
		if err != nil {
			return err
		}
		for _, seg := range d.Check.Segments {
			r.Batches += seg.Batches
			r.Records += seg.Records
		}
		if d.Damaged() {
			r.Damaged = append(r.Damaged, damaged(d))
		}
	}
	return nil
}

func damaged(d *plog.Diagnosis) Damaged {
	out := Damaged{Topic: d.Topic, ID: d.ID.Topic.String(), Partition: d.ID.Partition, Start: d.Start, End: d.End,
		Fenced: d.Fence, Bad: []Bad{}, Wrong: d.Check.Wrong, Cut: d.Cut, Keep: d.Keep, found: d}
	for _, seg := range d.Check.Segments {
		for _, b := range seg.Bad {
			out.Bad = append(out.Bad, Bad{seg.File, b})
		}
		for _, w := range seg.Wrong {
			out.Wrong = append(out.Wrong, seg.File+": "+w)
		}
	}
	return out
}

// choices tries both ways of giving up a part of the write-ahead log.
func choices(fsys vfs.FS, d *broker.Dir) (out []Choice, err error) {
	for _, how := range []plog.Repair{plog.RepairCut, plog.RepairKeep} {
		store, found, err := openShadow(fsys, d, how)
		if err != nil {
			return nil, err
		}
		store.Abandon()
		out = append(out, Choice{How: how, Batches: found.Batches, Fenced: len(found.Fenced)})
	}
	return out, nil
}
