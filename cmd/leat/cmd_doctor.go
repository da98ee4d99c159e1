package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/doctor"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// doctorOptions are what leat doctor is asked to do.
type doctorOptions struct {
	verify, materialize, segments, yes, dryRun bool
	repair, topic                              string
	partition                                  int32
}

func (a *app) doctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor DATA-DIR",
		Short: "Look at a data directory: what it holds, what is damaged, what can be done",
		Long: `Look at a data directory that no server runs on: what it holds, what the next start
would recover or cut, what is damaged, and what can be done about it.

Looking changes nothing: not a byte of the directory. --verify reads every byte of all
segments and their indexes.

--repair makes damaged partitions whole again. Nobody can bring back what is damaged;
it is a choice of what to give up, and the command says of how much before it asks:

  cut    everything from the first damaged batch to the end of the partition
  keep   what is damaged alone: the partition keeps what is before and behind it, with
         a gap in the offsets

What is replaced is set aside in DATA-DIR/damaged. Restoring a backup may be better.

Exit code 1 says that something is damaged, or was not repaired.`,
		Example: `  leat doctor ./leat-data
  leat doctor ./leat-data --verify -o json
  leat doctor ./leat-data --repair keep --topic orders --partition 3
  leat doctor ./leat-data --materialize   # all of it for Kafka's own tools
  leat doctor --segments /var/kafka-logs   # segments that Apache Kafka wrote`,
		GroupID: "disk",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd.Flags().Changed("partition")); err != nil {
				return err
			}
			dir := path.Clean(args[0])
			switch {
			case o.segments:
				return a.checkSegments(cmd.Context(), dir)
			case o.materialize:
				return a.materialize(dir, o.dryRun)
			case o.repair != "":
				return a.repair(cmd.Context(), dir, o)
			}
			return a.lookAt(cmd.Context(), dir, o.verify)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.verify, "verify", false, "read every byte of all segments and indexes")
	f.StringVar(&o.repair, "repair", "", "make damaged partitions whole: cut or keep")
	f.StringVar(&o.topic, "topic", "", "with --repair: only this topic")
	f.Int32Var(&o.partition, "partition", -1, "with --repair and --topic: only this partition")
	f.BoolVar(&o.materialize, "materialize", false, "move all of the write-ahead log into segments, so that Kafka's tools read all of it")
	f.BoolVar(&o.segments, "segments", false, "read the segments in Kafka's format below a directory, whoever wrote them")
	addDestructive(f, &o.yes, &o.dryRun)
	return cmd
}

func (o *doctorOptions) check(hasPartition bool) error {
	tasks := 0
	for _, set := range []bool{o.verify, o.materialize, o.segments, o.repair != ""} {
		if set {
			tasks++
		}
	}
	switch {
	case tasks > 1:
		return cli.Usagef("--verify, --repair, --materialize and --segments: one at a time")
	case o.repair != "" && o.repair != string(plog.RepairCut) && o.repair != string(plog.RepairKeep):
		return cli.Usagef("--repair %s: want cut or keep", o.repair)
	case o.repair == "" && (o.topic != "" || hasPartition):
		return cli.Usagef("--topic and --partition say what --repair is for: give it, too")
	case hasPartition && (o.topic == "" || o.partition < 0):
		return cli.Usagef("--partition N goes with --topic NAME")
	}
	return nil
}

// lookAt is leat doctor without any task.
func (a *app) lookAt(ctx context.Context, dir string, verify bool) error {
	r, err := doctor.Look(ctx, vfs.OS{}, dir, verify)
	if err != nil {
		return err
	}
	err = a.out.Write(r, func(w io.Writer) error { return a.tellDoctor(w, r) })
	switch {
	case err != nil:
		return err
	case r.Problem != "":
		return errors.New(r.Problem)
	case len(r.Damaged) > 0:
		return fmt.Errorf("%s damaged", cli.Count(int64(len(r.Damaged)), "partition"))
	}
	return nil
}

// tellDoctor writes a report for people.
func (a *app) tellDoctor(w io.Writer, r *doctor.Report) error {
	state := "stopped properly"
	switch {
	case r.Clean:
	case r.Recovered == 0: // a restored backup, too
		state = "the next start has nothing to recover"
	default:
		state = fmt.Sprintf("not stopped properly: the next start recovers %s from the write-ahead log", batches(int64(r.Recovered)))
	}
	if r.Problem != "" {
		state = "cannot be started"
	}
	fmt.Fprintf(w, "Directory   %s, format version %d, cluster %s\n", r.Dir, r.Version, r.ClusterID)
	fmt.Fprintf(w, "State       %s; leader epoch %d, one more with each start\n", state, r.Starts)
	fmt.Fprintf(w, "Files       checkpoint %d bytes; write-ahead log %s, %d bytes\n", r.CheckpointBytes, cli.Count(int64(r.WALFiles), "file"), r.WALBytes)
	if r.Problem == "" {
		fmt.Fprintf(w, "Logs        %s of %s, %s, %d bytes\n", cli.Count(int64(r.Partitions), "partition"), cli.Count(int64(r.Topics), "topic"), cli.Count(int64(r.Segments), "segment"), r.Bytes)
	}
	if r.Verified && r.Problem == "" {
		fmt.Fprintf(w, "Verified    %s in %s\n", cli.Count(r.Records, "record"), batches(r.Batches))
	}
	if r.TornBytes > 0 {
		fmt.Fprintf(w, "Torn tail   %d bytes, never acknowledged as durable: the next start cuts them\n", r.TornBytes)
	}
	for _, l := range r.Leftover {
		fmt.Fprintf(w, "Left over   %s\n", l)
	}
	if len(r.Torn) > 0 {
		fmt.Fprintln(w)
		t := cli.NewTable(w, "TORN", "PARTITION", "BYTES", "FIRST", "LAST")
		for _, e := range r.Torn {
			t.Row(e.Topic, e.Partition, e.Bytes, e.First, e.Last)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if err := a.tellLogs(w, r); err != nil {
		return err
	}
	if err := tellIncidents(w, r.Incidents); err != nil {
		return err
	}
	for _, c := range r.Choices {
		fmt.Fprintf(w, "--repair %-5s %s of the write-ahead log stay, %s to decide about then\n", c.How, batches(int64(c.Batches)), cli.Count(int64(c.Fenced), "partition"))
	}
	for i := range r.Damaged {
		tellDamaged(w, r.Dir, &r.Damaged[i])
	}
	return nil
}

func batches(n int64) string {
	if n == 1 {
		return "1 batch"
	}
	return fmt.Sprintf("%d batches", n)
}

// tellLogs writes the table of partitions: those of the broker's own only when wide
// output was asked for.
func (a *app) tellLogs(w io.Writer, r *doctor.Report) error {
	if len(r.Logs) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := cli.NewTable(w, "TOPIC", "PARTITION", "START", "END", "SEGMENTS", "BYTES", "STATE")
	for _, l := range r.Logs {
		state := "ok"
		if slices.ContainsFunc(r.Damaged, func(d doctor.Damaged) bool { return d.ID == l.ID && d.Partition == l.Partition }) {
			state = "damaged"
		}
		if l.Fenced != "" {
			state = "fenced"
		}
		if state == "ok" && !a.out.Wide() && strings.HasPrefix(l.Topic, "__") {
			continue
		}
		t.Row(l.Topic, l.Partition, l.Start, l.End, l.Segments, l.Bytes, state)
	}
	return t.Flush()
}

func tellIncidents(w io.Writer, ins []plog.Incident) error {
	if len(ins) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := cli.NewTable(w, "TIME", "WHAT", "TOPIC", "PARTITION", "OFFSETS", "BYTES", "TEXT")
	for _, in := range ins[max(0, len(ins)-20):] {
		offsets := ""
		if in.Last >= in.First {
			offsets = fmt.Sprintf("%d-%d", in.First, in.Last)
		}
		partition := ""
		if in.Partition >= 0 {
			partition = fmt.Sprint(in.Partition)
		}
		t.Row(time.UnixMilli(in.Time).UTC().Format(time.RFC3339), in.What, in.Topic, partition, offsets, in.Bytes, in.Text)
	}
	return t.Flush()
}

// tellDamaged says what is wrong with a partition and what each choice costs.
func tellDamaged(w io.Writer, dir string, d *doctor.Damaged) {
	fmt.Fprintf(w, "\n%s partition %d is damaged (offsets %d to %d)\n", d.Topic, d.Partition, d.Start, d.End-1)
	if d.Fenced != "" {
		fmt.Fprintf(w, "  fenced, neither read nor written: %s\n", d.Fenced)
	}
	for _, b := range d.Bad {
		fmt.Fprintf(w, "  %s: %s\n", b.File, b.BadRange)
	}
	for _, s := range d.Wrong {
		fmt.Fprintf(w, "  %s\n", s)
	}
	at := fmt.Sprintf("leat doctor %s --topic %s --partition %d --repair", dir, d.Topic, d.Partition)
	fmt.Fprintf(w, "  %s cut\n    gives up %s (%d of them can be read); the partition ends at %d\n", at, cli.Count(d.Cut.Offsets, "offset"), d.Cut.Readable, d.Cut.End)
	regained := ""
	if d.Keep.Regained > 0 {
		regained = fmt.Sprintf(", %s come back from the copy of the write-ahead log", cli.Count(d.Keep.Regained, "record"))
	}
	fmt.Fprintf(w, "  %s keep\n    gives up %s%s; the partition ends at %d\n", at, cli.Count(d.Keep.Offsets, "offset"), regained, d.Keep.End)
}
