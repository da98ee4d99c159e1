package wire

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// randomFetch is an answer with all kinds of fields; now and then one that is not
// plain.
func randomFetch(r *rand.Rand, version int16) *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = version
	resp.ThrottleMillis, resp.SessionID, resp.ErrorCode = r.Int32(), r.Int32(), int16(r.IntN(3))
	for range r.IntN(4) {
		t := kmsg.NewFetchResponseTopic()
		t.Topic = "some.topic"[:1+r.IntN(9)]
		t.TopicID[3] = byte(r.IntN(256))
		for range r.IntN(4) {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.ErrorCode, p.HighWatermark = r.Int32(), int16(r.IntN(99)), r.Int64()
			p.LastStableOffset, p.LogStartOffset, p.PreferredReadReplica = r.Int64(), r.Int64(), r.Int32N(9)-1
			if r.IntN(3) > 0 {
				p.RecordBatches = bytes.Repeat([]byte("0123456789abcdef"), r.IntN(2)*r.IntN(600))
			}
			if r.IntN(3) == 0 {
				p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
				for range r.IntN(3) {
					a := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
					a.ProducerID, a.FirstOffset = r.Int64(), r.Int64()
					p.AbortedTransactions = append(p.AbortedTransactions, a)
				}
			}
			if r.IntN(3) == 0 {
				p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = r.Int32N(9), r.Int64()
			}
			if r.IntN(20) == 0 {
				p.CurrentLeader.LeaderID = 1
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// The encoder for Fetch writes what kmsg writes, in every version, behind other
// answers in the same buffer too.
func TestFetchFrameAgreesWithKmsg(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	left := 0
	versions(t, 1, func(t *testing.T, version int16) {
		for range 300 {
			resp := randomFetch(r, version)
			before := []byte("an answer before")
			want := appendReply(bytes.Clone(before), 7, resp)
			b, splices, ok, err := appendFetch(bytes.Clone(before), nil, 7, resp, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				left++
				if len(b) != len(before) || len(splices) != 0 {
					t.Fatal("something was written before it was left to kmsg")
				}
				continue
			}
			if !bytes.Equal(b, want) {
				t.Fatalf("got\n%x\nwant\n%x", b, want)
			}
		}
	})
	if left == 0 {
		t.Error("no answer was left to kmsg")
	}
}

// A field that kmsg gains must not be dropped silently here.
func TestFetchFrameKnowsEveryField(t *testing.T) {
	t.Parallel()
	for typ, want := range map[reflect.Type]int{
		reflect.TypeFor[kmsg.FetchResponse]():                                 7,
		reflect.TypeFor[kmsg.FetchResponseTopic]():                            4,
		reflect.TypeFor[kmsg.FetchResponseTopicPartition]():                   12,
		reflect.TypeFor[kmsg.FetchResponseTopicPartitionAbortedTransaction](): 3,
		reflect.TypeFor[kmsg.FetchResponseTopicPartitionDivergingEpoch]():     3,
	} {
		if typ.NumField() != want {
			t.Errorf("%s has %d fields, appendFetch was written for %d", typ, typ.NumField(), want)
		}
	}
}
