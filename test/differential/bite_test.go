package differential

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
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

// Two brokers that are the same say the same; one that lies is found, and the
// sequence that shows it is short. This needs no Kafka.
func TestLiesAreFound(t *testing.T) {
	first, other := newWorld(newSide(t, "leat", openLeat(t))), newWorld(newSide(t, "leat", openLeat(t)))
	const honest, most = 30, 400
	for seed := range uint64(honest) {
		if f := play(first, other, draw(ops, seed, *length), newKnown()); f != nil {
			t.Fatalf("the same broker twice, seed %d:\n%s", seed, f)
		}
	}
	for what, lie := range lies {
		t.Run(what, func(t *testing.T) {
			other.tamper = lie
			defer func() { other.tamper = nil }()
			for seed := range uint64(most) {
				steps := draw(ops, seed, *length)
				found := play(first, other, steps, newKnown())
				if found == nil {
					continue
				}
				less := shrink(first, other, steps, found, newKnown(), time.Now().Add(patience))
				t.Logf("found by seed %d, with %d steps of %d", seed, len(less.labels), len(found.labels))
				if len(less.labels) > 12 {
					t.Errorf("a sequence that shows it has %d steps:\n%s", len(less.labels), less)
				}
				return
			}
			t.Error(fmt.Sprint("not found by ", most, " sequences"))
		})
	}
}
