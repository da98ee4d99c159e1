package jvm

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Broker is a broker that is looked at with franz-go, which knows nothing of what the
// Java programs believe.
type Broker struct {
	t    testing.TB
	addr string
	cl   *kgo.Client
	Adm  *kadm.Client
}

// Look connects to a broker.
func Look(t testing.TB, addr string) *Broker {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return &Broker{t, addr, cl, kadm.NewClient(cl)}
}

// CreateTopic makes a topic; configs are pairs of a name and its value.
func (b *Broker) CreateTopic(topic string, partitions int32, configs ...string) {
	b.t.Helper()
	with := map[string]*string{}
	for i := 0; i < len(configs); i += 2 {
		with[configs[i]] = &configs[i+1]
	}
	if _, err := b.Adm.CreateTopic(b.t.Context(), partitions, 1, with, topic); err != nil {
		b.t.Fatal(err)
	}
}

// SetGroupConfig sets a config of a group.
func (b *Broker) SetGroupConfig(group, name, value string) {
	b.t.Helper()
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value, config.Op = name, &value, kmsg.IncrementalAlterConfigOpSet
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	resource.Configs = append(resource.Configs, config)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(b.t.Context(), b.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.Resources[0].ErrorCode)
	}
	if err != nil {
		b.t.Fatalf("%s=%s of group %s: %v", name, value, group, err)
	}
}

// ShareLag is how many records of a topic a share group has not finished.
func (b *Broker) ShareLag(group, topic string) (n int64, _ error) {
	rt := kmsg.NewDescribeShareGroupOffsetsRequestGroupTopic()
	rt.Topic = topic
	parts, err := b.Adm.ListTopics(b.t.Context(), topic)
	if err != nil {
		return 0, err
	}
	rt.Partitions = append(rt.Partitions, parts[topic].Partitions.Numbers()...)
	rg := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
	rg.GroupID = group
	rg.Topics = append(rg.Topics, rt)
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	req.Groups = append(req.Groups, rg)
	resp, err := req.RequestWith(b.t.Context(), b.cl)
	if err != nil {
		return 0, err
	}
	for _, g := range resp.Groups {
		err = kerr.ErrorForCode(g.ErrorCode)
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if p.Lag < 0 {
					return 0, fmt.Errorf("the lag of %s-%d is not known", topic, p.Partition)
				}
				n += p.Lag
			}
		}
	}
	return n, err
}

// Ends is the sum of a topic's end offsets: how many it has given out.
func (b *Broker) Ends(topic string) (n int64) {
	b.t.Helper()
	ends, err := b.Adm.ListEndOffsets(b.t.Context(), topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// Committed is the sum of a group's committed offsets.
func (b *Broker) Committed(group string) (n int64) {
	b.t.Helper()
	offsets, err := b.Adm.FetchOffsets(b.t.Context(), group)
	if err != nil {
		b.t.Fatal(err)
	}
	offsets.Each(func(o kadm.OffsetResponse) { n += o.At })
	return n
}

// Send sends records and waits until all are acknowledged.
func (b *Broker) Send(records ...*kgo.Record) {
	b.t.Helper()
	if err := b.cl.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// Read reads, as a read_committed consumer, all records that a topic has now.
func (b *Broker) Read(topic string) (records []*kgo.Record) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	ends, err := b.Adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	// Markers are kept, for the last offset of a partition may be one.
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.ConsumeTopics(topic), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		b.t.Fatal(err)
	}
	defer cl.Close()
	at := map[int32]int64{}
	behind := func() (some bool) {
		ends.Each(func(o kadm.ListedOffset) { some = some || at[o.Partition] < o.Offset })
		return some
	}
	for behind() {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			b.t.Fatalf("%s: %d records read, up to %v of %v", topic, len(records), at, ends)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if at[r.Partition] = r.Offset + 1; !r.Attrs.IsControl() {
				records = append(records, r)
			}
		})
	}
	return records
}
