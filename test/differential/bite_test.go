package differential

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/test/divergence"
)

// lies are answers of a broker that is wrong in one small thing.
var lies = map[string]func(kmsg.Response){
	"a base offset that is one too high": func(r kmsg.Response) {
		if p, ok := r.(*kmsg.ProduceResponse); ok && p.Topics[0].Partitions[0].ErrorCode == 0 && p.Topics[0].Partitions[0].BaseOffset > 2 {
			p.Topics[0].Partitions[0].BaseOffset++
		}
	},
	"a gap in the sequence that is taken for another error": func(r kmsg.Response) {
		if p, ok := r.(*kmsg.ProduceResponse); ok && p.Topics[0].Partitions[0].ErrorCode == 45 {
			p.Topics[0].Partitions[0].ErrorCode = 46
		}
	},
	"a log start that is not told after DeleteRecords": func(r kmsg.Response) {
		if f, ok := r.(*kmsg.FetchResponse); ok && len(f.Topics) > 0 && f.Topics[0].Partitions[0].LogStartOffset > 0 {
			f.Topics[0].Partitions[0].LogStartOffset = 0
		}
	},
	"a record that is missing at the end of an answer": func(r kmsg.Response) {
		if f, ok := r.(*kmsg.FetchResponse); ok && len(f.Topics) > 0 && len(f.Topics[0].Partitions[0].RecordBatches) > 300 {
			f.Topics[0].Partitions[0].RecordBatches = f.Topics[0].Partitions[0].RecordBatches[:61]
		}
	},
	"the newest timestamp of the first that has it": func(r kmsg.Response) {
		if l, ok := r.(*kmsg.ListOffsetsResponse); ok && l.Topics[0].Partitions[0].Offset > 0 && l.Topics[0].Partitions[0].Timestamp > 0 {
			l.Topics[0].Partitions[0].Offset--
		}
	},
	"metadata of a commit that is lost when it is empty": func(r kmsg.Response) {
		if o, ok := r.(*kmsg.OffsetFetchResponse); ok {
			for _, t := range o.Topics {
				for i := range t.Partitions {
					if m := t.Partitions[i].Metadata; m != nil && *m == "note" {
						t.Partitions[i].Metadata = kmsg.StringPtr("")
					}
				}
			}
		}
	},
	"offsets of the second of several groups that are not told": func(r kmsg.Response) {
		if o, ok := r.(*kmsg.OffsetFetchResponse); ok && len(o.Groups) > 1 {
			for _, t := range o.Groups[1].Topics {
				for i := range t.Partitions {
					t.Partitions[i].Offset, t.Partitions[i].Metadata = -1, nil
				}
			}
		}
	},
	"a config that is refused with another code": func(r kmsg.Response) {
		if c, ok := r.(*kmsg.IncrementalAlterConfigsResponse); ok && c.Resources[0].ErrorCode == 40 {
			c.Resources[0].ErrorCode = 42
		}
	},
	"a heartbeat of an old generation that is taken": func(r kmsg.Response) {
		if h, ok := r.(*kmsg.HeartbeatResponse); ok && h.ErrorCode == 22 {
			h.ErrorCode = 0
		}
	},
	"a generation that does not go on": func(r kmsg.Response) {
		if j, ok := r.(*kmsg.JoinGroupResponse); ok && j.Generation > 1 {
			j.Generation--
		}
	},
}

// most is how many sequences may be played until a lie is found.
const most = 400

// Two brokers that are the same say the same; one that lies is found, and the
// sequence that shows it is short. This needs no Kafka.
func TestLiesAreFound(t *testing.T) {
	first, other := newWorld(newSide(t, "leat", openLeat(t))), newWorld(newSide(t, "leat", openLeat(t)))
	const honest = 30
	for seed := range uint64(honest) {
		if f := play(first, other, draw(ops, seed, *length), newKnown(divergence.Of)); f != nil {
			t.Fatalf("the same broker twice, seed %d:\n%s", seed, f)
		}
	}
	for what, lie := range lies {
		t.Run(what, func(t *testing.T) { findLie(t, first, other, lie, ops, divergence.Of, most) })
	}
}

// about are the kinds of steps that show a lie, where one among all would seldom come
// before a sequence beside kfake ends.
var about = map[string][]string{
	"a log start that is not told after DeleteRecords":          {"setup", "produce", "fetch", "delete records"},
	"a record that is missing at the end of an answer":          {"setup", "produce", "fetch"},
	"offsets of the second of several groups that are not told": {"setup", "commit", "fetch offsets"},
	"metadata of a commit that is lost when it is empty":        {"setup", "commit", "fetch offsets"},
}

// The same beside kfake, with its list of differences: that list does not hide them.
func TestLiesAreFoundBesideKfake(t *testing.T) {
	p, err := startKfake()
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	kfake, leat := newWorld(newSide(t, p.name, p.addr)), newWorld(newSide(t, "leat", openLeat(t)))
	kfake.plain, leat.plain = true, true
	for what, lie := range lies {
		if what == "a config that is refused with another code" {
			continue // kfake takes most that is wrong, and has other codes for the rest
		}
		t.Run(what, func(t *testing.T) {
			some := p.plays(ops)
			if kinds := about[what]; kinds != nil {
				some = slices.DeleteFunc(some, func(o op) bool { return !slices.Contains(kinds, o.name) })
			}
			findLie(t, kfake, leat, lie, some, p.differs, 4*most) // most end soon
		})
	}
}

// findLie makes sure that a broker which lies is found within so many sequences.
func findLie(t *testing.T, first, liar *world, lie func(kmsg.Response), ops []op, differs func(string) []divergence.Wire, most uint64) {
	t.Helper()
	liar.tamper = lie
	defer func() { liar.tamper = nil }()
	for seed := range most {
		steps := draw(ops, seed, *length)
		found := play(first, liar, steps, newKnown(differs))
		if found == nil {
			continue
		}
		liar.tamper = nil
		if honest := play(first, liar, steps, newKnown(differs)); honest != nil {
			t.Errorf("seed %d shows something without the lie, too:\n%s", seed, honest)
		}
		liar.tamper = lie
		less := shrink(first, liar, steps, found, newKnown(differs), time.Now().Add(patience))
		t.Logf("found by seed %d, with %d steps of %d", seed, len(less.labels), len(found.labels))
		if len(less.labels) > 12 {
			t.Errorf("a sequence that shows it has %d steps:\n%s", len(less.labels), less)
		}
		return
	}
	t.Error(fmt.Sprint("not found by ", most, " sequences"))
}
