package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/doctor"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// repair is leat doctor --repair: it looks, says what will be given up, asks, and
// does it.
func (a *app) repair(ctx context.Context, dir string, o doctorOptions) error {
	r, err := doctor.Look(ctx, vfs.OS{}, dir, true)
	if err != nil {
		return err
	}
	how := plog.Repair(o.repair)
	want := func(topic string, partition int32) bool {
		return (o.topic == "" || o.topic == topic) && (o.partition < 0 || o.partition == partition)
	}
	plan := []doctor.Mended{}
	var offsets int64
	for _, d := range r.Damaged {
		if want(d.Topic, d.Partition) {
			m := doctor.Mended{Topic: d.Topic, Partition: d.Partition, How: how, Loss: d.Cut}
			if how == plog.RepairKeep {
				m.Loss = d.Keep
			}
			plan = append(plan, m)
			offsets += m.Loss.Offsets
		}
	}
	question := fmt.Sprintf("Give up %s of %s?", cli.Count(offsets, "offset"), cli.Count(int64(len(plan)), "partition"))
	switch {
	case len(r.Choices) > 0 && o.topic != "":
		return fmt.Errorf("%s; nobody can tell which topics it hurts: repair without --topic", r.Problem)
	case len(r.Choices) > 0:
		question = "Give up a part of the write-ahead log, of partitions that nobody can tell?"
	case r.Problem != "":
		return errors.New(r.Problem)
	case len(plan) == 0:
		return a.tellMended(plan)
	}
	if o.dryRun {
		return a.tellMended(plan)
	}
	if err := a.Confirm(o.yes, question); err != nil {
		return err
	}
	done, err := doctor.Repair(ctx, vfs.OS{}, dir, how, want)
	var items cli.Items
	for _, m := range done {
		if m.Error != "" {
			items.Add(errors.New(m.Error))
		} else {
			items.Add(nil)
		}
	}
	if done == nil {
		done = []doctor.Mended{}
	}
	return errors.Join(a.tellMended(done), err, items.Err("partitions"))
}

func (a *app) tellMended(ms []doctor.Mended) error {
	return a.out.Write(ms, func(w io.Writer) error {
		if len(ms) == 0 {
			_, err := fmt.Fprintln(w, "no partition is damaged")
			return err
		}
		t := cli.NewTable(w, "TOPIC", "PARTITION", "HOW", "OFFSETS", "END", "ASIDE", "ERROR")
		for _, m := range ms {
			t.Row(m.Topic, m.Partition, m.How, m.Loss.Offsets, m.Loss.End, m.Aside, m.Error)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		for _, m := range ms {
			if m.Left != "" {
				if _, err := fmt.Fprintf(w, "%s-%d: %s\n", m.Topic, m.Partition, m.Left); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// materialized is what leat doctor --materialize did.
type materialized struct {
	Dir       string `json:"dir"`
	Batches   int    `json:"batches"`
	TornBytes int64  `json:"torn_bytes"`
	Fenced    int    `json:"fenced"`
	DryRun    bool   `json:"dryRun,omitempty"`
}

func (a *app) materialize(dir string, dryRun bool) error {
	m := materialized{Dir: dir, DryRun: dryRun}
	if dryRun {
		r, err := doctor.Look(context.Background(), vfs.OS{}, dir, false)
		if err != nil {
			return err
		}
		if r.Problem != "" {
			return errors.New(r.Problem)
		}
		m.Batches, m.TornBytes = r.Recovered, r.TornBytes
	} else {
		r, err := doctor.Materialize(vfs.OS{}, dir)
		if err != nil {
			return err
		}
		m.Batches, m.TornBytes, m.Fenced = r.Batches, r.TornBytes, len(r.Fenced)
	}
	return a.out.Write(m, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s moved into the segments below %s\n", batches(int64(m.Batches)), filepath.Join(dir, "logs"))
		return err
	})
}

// partitionCheck is what reading one directory of segments found.
type partitionCheck struct {
	Dir      string              `json:"dir"`
	Batches  int64               `json:"batches"`
	Records  int64               `json:"records"`
	OK       bool                `json:"ok"`
	Segments []plog.SegmentCheck `json:"segments"`
}

// checkSegments reads every directory below dir that holds segments.
func (a *app) checkSegments(ctx context.Context, dir string) error {
	var items cli.Items
	found := []partitionCheck{}
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		if logs, err := filepath.Glob(filepath.Join(name, "*.log")); err != nil || len(logs) == 0 {
			return err
		}
		segs, err := plog.CheckSegmentFiles(ctx, vfs.OS{}, name)
		if err != nil {
			return err
		}
		p := partitionCheck{Dir: name, OK: true, Segments: segs}
		for i := range segs {
			p.Batches += segs[i].Batches
			p.Records += segs[i].Records
			p.OK = p.OK && segs[i].OK()
		}
		var bad error
		if !p.OK {
			bad = errors.New("damaged")
		}
		items.Add(bad)
		found = append(found, p)
		return nil
	})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("below %s are no segments (files like 00000000000000000000.log)", dir)
	}
	err = a.out.Write(found, func(w io.Writer) error {
		t := cli.NewTable(w, "DIRECTORY", "SEGMENTS", "BATCHES", "RECORDS", "WRONG")
		for _, p := range found {
			var wrong []string
			for _, s := range p.Segments {
				for _, b := range s.Bad {
					wrong = append(wrong, s.File+": "+b.String())
				}
				for _, x := range s.Wrong {
					wrong = append(wrong, s.File+": "+x)
				}
			}
			t.Row(p.Dir, len(p.Segments), p.Batches, p.Records, strings.Join(wrong, "; "))
		}
		return t.Flush()
	})
	return errors.Join(err, items.Err("partitions"))
}
