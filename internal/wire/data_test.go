package wire

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// dataBench is a server of all keys on a disk that can crash and fail.
type dataBench struct {
	*bench
	static map[string]string
	mem    *vfs.Mem
	disk   *vfs.Faulty
	broker *broker.Broker
}

func newDataBench(t *testing.T, static map[string]string) *dataBench {
	b := &dataBench{static: static, mem: vfs.NewMem()}
	b.boot(t)
	return b
}

func (b *dataBench) boot(t *testing.T) {
	t.Helper()
	b.disk = vfs.NewFaulty(b.mem)
	br, err := broker.Open(broker.Config{FS: b.disk, Dir: "/data", Static: b.static})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(br.Abandon)
	b.broker, b.bench = br, newBench(t, Config{Broker: br}, handlers)
}

// kill is kill -9 of the broker and the start after it.
func (b *dataBench) kill() {
	b.t.Helper()
	disk := b.mem.Kill()
	if err := b.srv.Stop(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.broker.Abandon()
	b.mem = disk
	b.boot(b.t)
}

// topic makes a topic; configs are name, value, name, value ...
func (b *dataBench) topic(name string, partitions int32, configs ...string) kafka.UUID {
	b.t.Helper()
	set := map[string]string{}
	for i := 0; i < len(configs); i += 2 {
		set[configs[i]] = configs[i+1]
	}
	if err := b.broker.EnsureTopic(b.t.Context(), name, partitions, set); err != nil {
		b.t.Fatal(err)
	}
	return b.broker.Catalog.Snapshot().Topic(name).ID
}

// now is the broker's clock in ms.
func (b *dataBench) now() int64 { return b.broker.Now().UnixMilli() }

// batchAt builds a batch of keyed records at ts.
func batchAt(spec kafka.BatchSpec, ts int64, values ...string) []byte {
	var records []kafka.Record
	for _, v := range values {
		records = append(records, kafka.Record{Key: []byte("k"), Value: []byte(v), Timestamp: ts})
	}
	return kafka.Build(spec, records)
}

func (b *dataBench) batch(values ...string) []byte {
	return batchAt(kafka.BatchSpec{}, b.now(), values...)
}

func (b *dataBench) from(p kafka.ProducerSpec, values ...string) []byte {
	return batchAt(kafka.BatchSpec{Producer: &p}, b.now(), values...)
}

// produceTo is a request of one batch for each partition from 0 on.
func produceTo(topic string, id kafka.UUID, acks int16, batches ...[]byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks = acks
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = topic, id
	for i, records := range batches {
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Partition, rp.Records = int32(i), bytes.Clone(records)
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	return req
}

// produced is the answer for the one partition that was asked for.
func produced(c *client, req *kmsg.ProduceRequest, version int16) kmsg.ProduceResponseTopicPartition {
	c.t.Helper()
	return onePartition(c.t, ask[*kmsg.ProduceResponse](c, req, version))
}

func onePartition(t *testing.T, resp *kmsg.ProduceResponse) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		t.Fatalf("not one partition: %+v", resp)
	}
	return resp.Topics[0].Partitions[0]
}

// put appends values to partition 0 of a topic, in one batch, and waits for it.
func (b *dataBench) put(c *client, topic string, values ...string) int64 {
	b.t.Helper()
	p := produced(c, produceTo(topic, kafka.UUID{}, -1, b.batch(values...)), 9)
	mustCode(b.t, "produce", p.ErrorCode, nil)
	return p.BaseOffset
}

// fetchFrom is a request for partition 0 of a topic without a session, which waits
// for nothing.
func fetchFrom(topic string, id kafka.UUID, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes, req.SessionEpoch = 1, 1<<20, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = topic, id
	rt.Partitions = append(rt.Partitions, fetchPartition(0, offset))
	req.Topics = append(req.Topics, rt)
	return req
}

func fetchPartition(p int32, offset int64) kmsg.FetchRequestTopicPartition {
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = p, offset, 1<<20, -1
	return rp
}

// oneFetched is the answer for the one partition that is in it.
func oneFetched(t *testing.T, resp *kmsg.FetchResponse) kmsg.FetchResponseTopicPartition {
	t.Helper()
	mustCode(t, "fetch", resp.ErrorCode, nil)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		t.Fatalf("not one partition: %+v", resp)
	}
	return resp.Topics[0].Partitions[0]
}

// offsets are those of the records of whole batches, all of them.
func offsets(t *testing.T, data []byte) (all []int64) {
	t.Helper()
	for len(data) > 0 {
		b, rest, err := kafka.NextBatch(data)
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range b.Records(1 << 20) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r.Offset)
		}
		data = rest
	}
	return all
}

// listed asks for one offset of partition 0.
func listed(c *client, topic string, ts int64, version int16) kmsg.ListOffsetsResponseTopicPartition {
	c.t.Helper()
	resp := ask[*kmsg.ListOffsetsResponse](c, listRequest(topic, ts), version)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		c.t.Fatalf("%+v", resp)
	}
	return resp.Topics[0].Partitions[0]
}

func listRequest(topic string, ts int64) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Timestamp, rp.CurrentLeaderEpoch = ts, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

// end is the high watermark of partition 0.
func end(c *client, topic string) int64 {
	c.t.Helper()
	p := listed(c, topic, -1, 7)
	mustCode(c.t, "latest", p.ErrorCode, nil)
	return p.Offset
}

// deleteTo asks for partition 0 of a topic.
func deleteTo(topic string, offset int64) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

func name(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.ErrorForCode(code).(*kerr.Error).Message
}
