package wire

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// joined is a buffer with its splices in their places.
func joined(b []byte, splices []splice) []byte {
	return bytes.Join(pieces(nil, b, splices), nil)
}

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
	spliced, left := 0, 0
	versions(t, 1, func(t *testing.T, version int16) {
		for range 300 {
			resp := randomFetch(r, version)
			before := []byte("an answer before")
			want := appendReply(bytes.Clone(before), 7, resp)
			b, splices, ok := appendFetch(bytes.Clone(before), nil, 7, resp)
			if !ok {
				left++
				if len(b) != len(before) || len(splices) != 0 {
					t.Fatal("something was written before it was left to kmsg")
				}
				continue
			}
			spliced += len(splices)
			if got := joined(b, splices); !bytes.Equal(got, want) {
				t.Fatalf("got\n%x\nwant\n%x", got, want)
			}
		}
	})
	if spliced == 0 || left == 0 {
		t.Errorf("%d splices, %d answers left to kmsg", spliced, left)
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

// Records pass the writer in the right order among other answers.
func TestSplicedAnswersInOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	var sent []*kmsg.FetchResponse
	release := make(chan struct{})
	b := newBench(t, Config{}, map[int16]handler{1: on(func(_ *api, r *Request, req *kmsg.FetchRequest) Reply {
		resp := sent[r.CorrelationID]
		if r.CorrelationID > 0 {
			return answer(resp)
		}
		p, reply := later() // the first one waits, so that the others are ready together
		go func() { <-release; p.Answer(resp) }()
		return reply
	})})
	for range 40 {
		sent = append(sent, randomFetch(r, 12))
	}
	c := b.dial()
	for i := range sent {
		req := kmsg.NewPtrFetchRequest()
		req.Version = 12
		c.send(int32(i), req)
	}
	close(release)
	for i := range sent {
		corr, body := c.recv()
		if want := appendReply(nil, int32(i), sent[i])[8:]; corr != int32(i) || !bytes.Equal(body, want) {
			t.Fatalf("answer %d has correlation id %d and %d bytes, want %d", i, corr, len(body), len(want))
		}
	}
}
