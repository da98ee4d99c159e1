package support

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/support/audit"
)

// topics are all that the steps read and write.
func (d *desk) topics() []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range d.pipeline.Steps {
		for _, t := range append(append([]string{}, s.Inputs()...), s.To, s.DLQ) {
			if !seen[t] {
				seen[t] = true
				out = append(out, t)
			}
		}
	}
	return append(out, d.pipeline.Outcomes())
}

// ends are the ends of the topics, of all without any.
func (d *desk) ends(topics ...string) map[string]map[int32]int64 {
	d.t.Helper()
	if len(topics) == 0 {
		topics = d.topics()
	}
	listed, err := d.adm.ListEndOffsets(d.ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		d.t.Fatalf("asking for the ends of topics: %v", err)
	}
	out := map[string]map[int32]int64{}
	for t, ps := range listed {
		out[t] = map[int32]int64{}
		for p, o := range ps {
			out[t][p] = o.Offset
		}
	}
	return out
}

// count is how many records a topic has.
func (d *desk) count(topic string) int {
	d.t.Helper()
	n := int64(0)
	for _, o := range d.ends(topic)[topic] {
		n += o
	}
	return int(n)
}

// snapshot is what the cluster has now.
func (d *desk) snapshot() audit.Kill {
	d.t.Helper()
	k := audit.Kill{End: d.ends(), Committed: map[string]map[string]map[int32]int64{}}
	for _, s := range d.pipeline.Steps {
		group := d.pipeline.Group(s)
		offsets, err := d.adm.FetchOffsets(d.ctx, group)
		if err == nil {
			err = offsets.Error()
		}
		if err != nil {
			d.t.Fatalf("asking for the offsets of %s: %v", group, err)
		}
		k.Committed[group] = map[string]map[int32]int64{}
		for t, ps := range offsets {
			k.Committed[group][t] = map[int32]int64{}
			for p, o := range ps {
				k.Committed[group][t][p] = o.At
			}
		}
	}
	return k
}

// untilCommitted waits until every group has committed all that it reads.
func (d *desk) untilCommitted() {
	d.t.Helper()
	leatproc.Until(d.t, patience, "all is committed", func() error {
		k := d.snapshot()
		for _, s := range d.pipeline.Steps {
			inputs := s.Inputs()
			if s.Join != nil {
				inputs = append(inputs, d.pipeline.Outcomes())
			}
			for _, t := range inputs {
				for p, end := range k.End[t] {
					if at := k.Committed[d.pipeline.Group(s)][t][p]; at != end {
						return fmt.Errorf("group %s is at %d of %d in %s/%d", d.pipeline.Group(s), at, end, t, p)
					}
				}
			}
		}
		return nil
	})
}

// read reads topics from the given offsets to their ends.
func (d *desk) read(from, to map[string]map[int32]int64) map[string][]*kgo.Record {
	d.t.Helper()
	at, left := map[string]map[int32]kgo.Offset{}, int64(0)
	for t, ps := range to {
		at[t] = map[int32]kgo.Offset{}
		for p, end := range ps {
			if start := from[t][p]; start < end {
				at[t][p] = kgo.NewOffset().At(start)
				left += end - start
			}
		}
	}
	out := map[string][]*kgo.Record{}
	if left == 0 {
		return out
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.broker.Addr), kgo.ConsumePartitions(at), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		d.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(d.ctx, patience)
	defer cancel()
	for left > 0 {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			d.t.Fatalf("reading: %v, %d records are left", err, left)
		}
		fs.EachRecord(func(r *kgo.Record) {
			if r.Offset < to[r.Topic][r.Partition] {
				out[r.Topic] = append(out[r.Topic], r)
				left--
			}
		})
	}
	return out
}

// uncommitted counts, of the steps that read messages, the newest results per
// partition whose messages are not committed: work that is done and will be done
// again if the runner dies now.
func (d *desk) uncommitted(k audit.Kill) int {
	d.t.Helper()
	from, to := map[string]map[int32]int64{}, map[string]map[int32]int64{}
	groups := map[string]string{}
	for _, s := range d.pipeline.Steps {
		if len(s.From) == 1 && s.From[0] == input {
			groups[s.To] = d.pipeline.Group(s)
			from[s.To], to[s.To] = map[int32]int64{}, k.End[s.To]
			for p, end := range k.End[s.To] {
				from[s.To][p] = max(0, end-10)
			}
		}
	}
	n := 0
	for topic, rs := range d.read(from, to) {
		for _, r := range rs {
			root, _ := event.Header(r.Headers, event.HeaderCorrelationID)
			_, p, offset, ok := event.ParsePosition(string(root))
			if ok && offset >= k.Committed[groups[topic]][input][p] {
				n++
			}
		}
	}
	return n
}

// killInFlight kills the runner when results are in their topics whose messages
// are not committed. It sends some of the messages, freezes the runner to look, and
// lets it go on if it was at a moment when all was committed. What it has not sent
// it returns.
func (d *desk) killInFlight(messages []audit.Sent) []audit.Sent {
	d.t.Helper()
	chunk := max(20, len(messages)/20)
	for try := 1; len(messages) > 0; try++ {
		n := min(chunk, len(messages))
		before := d.count("support.tags")
		d.produce(messages[:n])
		messages = messages[n:]
		leatproc.Until(d.t, patience, "a step makes a result", func() error {
			return leatproc.Atleast(d.count("support.tags"), before+1)
		})
		d.runner.Signal(d.t, syscall.SIGSTOP)
		if d.uncommitted(d.still()) == 0 {
			d.runner.Signal(d.t, syscall.SIGCONT)
			continue
		}
		d.kill()
		flying := d.uncommitted(d.kills[len(d.kills)-1])
		d.t.Logf("killed at the %d. look: %d of the newest results are not committed", try, flying)
		if flying == 0 {
			d.t.Error("the kill met nothing in flight")
		}
		return messages
	}
	d.t.Fatal("nothing was in flight at any look")
	return nil
}

// still waits until what a frozen runner had sent is done, and returns what there
// is then.
func (d *desk) still() audit.Kill {
	d.t.Helper()
	var last audit.Kill
	leatproc.Until(d.t, patience, "the cluster is still", func() error {
		before := last
		last = d.snapshot()
		if fmt.Sprint(before) != fmt.Sprint(last) {
			return fmt.Errorf("it moves")
		}
		return nil
	})
	return last
}

// evidence reads everything.
func (d *desk) evidence() audit.Evidence {
	d.t.Helper()
	// worker.Config.MaxInFlight, as docs/guarantees.md states it
	return audit.Evidence{Pipeline: d.pipeline, Sent: d.sent, Topics: d.read(nil, d.ends()), Kills: d.kills, MaxInFlight: 4096}
}
