package wire

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// sameProduce compares what both decoders make of a request; unknown tagged fields
// are nobody's.
func sameProduce(t *testing.T, d *produceDecoder, h header, rest []byte) {
	t.Helper()
	want, wantErr := decode(&h, rest)
	got, err := d.decode(&h, rest)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("v%d: %v, the general decoder says %v\n%x", h.version, err, wantErr, rest)
	}
	if err != nil {
		return
	}
	g, w := got.(*kmsg.ProduceRequest), want.(*kmsg.ProduceRequest)
	if !reflect.DeepEqual(g.TransactionID, w.TransactionID) || g.Acks != w.Acks || g.TimeoutMillis != w.TimeoutMillis || g.Version != w.Version || len(g.Topics) != len(w.Topics) {
		t.Fatalf("v%d: got %+v, want %+v", h.version, g, w)
	}
	for i := range w.Topics {
		gt, wt := &g.Topics[i], &w.Topics[i]
		if gt.Topic != wt.Topic || gt.TopicID != wt.TopicID || len(gt.Partitions) != len(wt.Partitions) {
			t.Fatalf("v%d: topic %d: got %+v, want %+v", h.version, i, gt, wt)
		}
		for j := range wt.Partitions {
			gp, wp := &gt.Partitions[j], &wt.Partitions[j]
			if gp.Partition != wp.Partition || !bytes.Equal(gp.Records, wp.Records) || (gp.Records == nil) != (wp.Records == nil) {
				t.Fatalf("v%d: partition %d of topic %d: got %+v, want %+v", h.version, j, i, gp, wp)
			}
		}
	}
}

// The decoder of Produce takes and refuses what the one for all keys does, whatever
// came before on the same connection: whole requests, cut ones, changed ones.
func TestProduceDecoderAgreesWithDecode(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	v, _ := kafka.VersionsOf(keyProduce)
	d := new(produceDecoder)
	for range 3000 {
		version := v.Min + int16(r.IntN(int(v.Max-v.Min)+1))
		frame := append(head(keyProduce, version), randomBody(r, keyProduce, version)...)
		switch r.IntN(4) {
		case 0:
			frame = frame[:minFrame+3+r.IntN(len(frame)-minFrame-2)]
		case 1:
			frame[minFrame+3+r.IntN(len(frame)-minFrame-3)] ^= byte(1 + r.IntN(255))
		case 2:
			frame = append(frame, 0)
		}
		h, rest := parseHead(frame, "c")
		sameProduce(t, d, h, rest)
	}
}

func FuzzProduceDecoder(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 10))
	v, _ := kafka.VersionsOf(keyProduce)
	for version := v.Min; version <= v.Max; version++ {
		f.Add(version, append(head(keyProduce, version)[minFrame:], randomBody(r, keyProduce, version)...))
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		if version < v.Min || version > v.Max {
			return
		}
		h, rest := parseHead(append(head(keyProduce, version)[:minFrame:minFrame], body...), "")
		sameProduce(t, new(produceDecoder), h, rest)
	})
}

// The encoder for Produce writes what kmsg writes, in every version.
func TestProduceFrameAgreesWithKmsg(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 12))
	left := 0
	versions(t, keyProduce, func(t *testing.T, version int16) {
		for range 300 {
			resp := randomProduced(r, version)
			before := []byte("an answer before")
			want := appendReply(bytes.Clone(before), 7, resp)
			b, ok := appendProduce(bytes.Clone(before), 7, resp)
			switch {
			case !ok && len(b) != len(before):
				t.Fatal("something was written before it was left to kmsg")
			case !ok:
				left++
			case !bytes.Equal(b, want):
				t.Fatalf("got\n%x\nwant\n%x", b, want)
			}
		}
	})
	if left == 0 {
		t.Error("no answer was left to kmsg")
	}
}

func randomProduced(r *rand.Rand, version int16) *kmsg.ProduceResponse {
	text := func() *string {
		if r.IntN(2) == 0 {
			return nil
		}
		return kmsg.StringPtr("what was wrong"[:r.IntN(14)])
	}
	resp := kmsg.NewPtrProduceResponse()
	resp.Version, resp.ThrottleMillis = version, r.Int32()
	for range r.IntN(4) {
		t := kmsg.NewProduceResponseTopic()
		t.Topic = "some.topic"[:1+r.IntN(9)]
		t.TopicID[3] = byte(r.IntN(256))
		for range r.IntN(4) {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode, p.BaseOffset, p.LogAppendTime, p.LogStartOffset = r.Int32(), int16(r.IntN(99)), r.Int64(), r.Int64(), r.Int64()
			p.ErrorMessage = text()
			for range r.IntN(3) {
				p.ErrorRecords = append(p.ErrorRecords, kmsg.ProduceResponseTopicPartitionErrorRecord{RelativeOffset: r.Int32(), ErrorMessage: text()})
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

// A field that kmsg gains must not be dropped silently here.
func TestProduceCodecKnowsEveryField(t *testing.T) {
	t.Parallel()
	for typ, want := range map[reflect.Type]int{
		reflect.TypeFor[kmsg.ProduceRequest]():                           6,
		reflect.TypeFor[kmsg.ProduceRequestTopic]():                      4,
		reflect.TypeFor[kmsg.ProduceRequestTopicPartition]():             3,
		reflect.TypeFor[kmsg.ProduceResponse]():                          5,
		reflect.TypeFor[kmsg.ProduceResponseTopic]():                     4,
		reflect.TypeFor[kmsg.ProduceResponseTopicPartition]():            9,
		reflect.TypeFor[kmsg.ProduceResponseTopicPartitionErrorRecord](): 3,
	} {
		if typ.NumField() != want {
			t.Errorf("%s has %d fields, the codec was written for %d", typ, typ.NumField(), want)
		}
	}
}
