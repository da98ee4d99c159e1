package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/leatdev/leat/test/clients/golang/lines"
)

// pause is after every call.
var pause time.Duration

// result says how a call went, by the name of its error.
func result(what string, err error) {
	defer time.Sleep(pause)
	said := "ok"
	var code sarama.KError
	var topic *sarama.TopicError
	var partition *sarama.TopicPartitionError
	switch {
	case err == nil:
	case errors.As(err, &topic):
		said = topic.Err.Error()
	case errors.As(err, &partition):
		said = partition.Err.Error()
	case errors.As(err, &code):
		said = code.Error()
	default:
		said = err.Error()
	}
	lines.Say(what, said)
}

func admin(brokers, prefix, ms string) {
	n, err := strconv.Atoi(ms)
	lines.Fatal(err)
	pause = time.Duration(n) * time.Millisecond
	c := producing(config())
	c.Producer.Retry.Max = 0
	c.Producer.Partitioner = sarama.NewManualPartitioner
	cl, err := sarama.NewClient(strings.Split(brokers, ","), c)
	lines.Fatal(err)
	a, err := sarama.NewClusterAdminFromClient(cl)
	lines.Fatal(err)
	topic, group := prefix+"-topic", prefix+"-group"
	text := func(s string) *string { return &s }

	detail := func(n int32, r int16, configs map[string]*string) *sarama.TopicDetail {
		return &sarama.TopicDetail{NumPartitions: n, ReplicationFactor: r, ConfigEntries: configs}
	}
	result("create", a.CreateTopic(topic, detail(2, 1, map[string]*string{"cleanup.policy": text("compact"), "retention.ms": text("1000")}), false))
	result("create again", a.CreateTopic(topic, detail(2, 1, nil), false))
	result("create with a bad name", a.CreateTopic("no/such name", detail(1, 1, nil), false))
	result("create with a bad config", a.CreateTopic(topic+"-2", detail(1, 1, map[string]*string{"no.such": text("1")}), false))
	result("create with three replicas", a.CreateTopic(topic+"-3", detail(1, 3, nil), false))
	result("create only to see", a.CreateTopic(topic+"-4", detail(1, 1, nil), true))

	configs := func() {
		found, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
		result("describe configs", err)
		for _, name := range []string{"cleanup.policy", "retention.ms", "max.message.bytes", "compression.type"} {
			for _, e := range found {
				if e.Name == name {
					lines.Say("config", e.Name, e.Value, e.Source, e.Default, e.ReadOnly, e.Sensitive)
				}
			}
		}
	}
	configs()
	result("alter configs", a.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms":      {Operation: sarama.IncrementalAlterConfigsOperationDelete},
		"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: text("2000")},
		"cleanup.policy":    {Operation: sarama.IncrementalAlterConfigsOperationAppend, Value: text("delete")},
	}, false))
	configs()
	result("more partitions", a.CreatePartitions(topic, 5, nil, false))
	result("fewer partitions", a.CreatePartitions(topic, 3, nil, false))

	p, err := sarama.NewSyncProducerFromClient(cl)
	lines.Fatal(err)
	for i := range 10 {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("k"), Value: sarama.StringEncoder(fmt.Sprint(i))})
		lines.Fatal(err)
	}
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("large"), Value: sarama.ByteEncoder(make([]byte, 4000))})
	result("large", err)
	described, err := a.DescribeTopics([]string{topic})
	result("describe", err)
	for _, t := range described {
		lines.Say("topic", len(t.Partitions), t.IsInternal, t.Err)
	}

	offsets := func() {
		oldest, err := cl.GetOffset(topic, 0, sarama.OffsetOldest)
		lines.Say("offset", "oldest", oldest, err)
		newest, err := cl.GetOffset(topic, 0, sarama.OffsetNewest)
		lines.Say("offset", "newest", newest, err)
	}
	offsets()
	result("delete records", a.DeleteRecords(topic, map[int32]int64{0: 4}))
	offsets()

	om, err := sarama.NewOffsetManagerFromClient(group, cl)
	lines.Fatal(err)
	pom, err := om.ManagePartition(topic, 0)
	lines.Fatal(err)
	pom.MarkOffset(5, "five")
	om.Commit()
	lines.Fatal(pom.Close())
	lines.Fatal(om.Close())
	committed, err := a.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1}})
	result("group offsets", err)
	for _, partition := range []int32{0, 1} {
		if b := committed.GetBlock(topic, partition); b != nil {
			lines.Say("committed", partition, b.Offset, b.Metadata, b.Err)
		}
	}
	groups, err := a.DescribeConsumerGroups([]string{group, group + "-none"})
	result("describe groups", err)
	slices.SortFunc(groups, func(a, b *sarama.GroupDescription) int { return strings.Compare(a.GroupId, b.GroupId) })
	for _, g := range groups {
		lines.Say("group", strings.TrimPrefix(g.GroupId, prefix), g.State, g.ProtocolType, len(g.Members), g.Err)
	}
	listed, err := a.ListConsumerGroups()
	result("list groups", err)
	lines.Say("listed", listed[group])
	result("delete an offset", a.DeleteConsumerGroupOffset(group, topic, 0))
	result("delete the group", a.DeleteConsumerGroup(group))
	result("delete the group again", a.DeleteConsumerGroup(group))
	nodes, controller, err := a.DescribeCluster()
	lines.Say("cluster", len(nodes), controller, err)
	dirs, err := a.DescribeLogDirs([]int32{controller})
	result("log dirs", err)
	for _, found := range dirs {
		lines.Say("directories", len(found))
	}
	result("delete", a.DeleteTopic(topic))
	result("delete again", a.DeleteTopic(topic))
	lines.Fatal(a.Close())
}
