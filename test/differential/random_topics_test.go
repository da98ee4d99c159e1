package differential

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// Steps that make, change and describe topics.

// settings are configs of topics, good and bad values of each.
var settings = [][]string{
	{"cleanup.policy", "delete", "compact", "compact,delete", "nothing"},
	{"retention.ms", "604800000", "-1", "-2", "x"},
	{"max.message.bytes", "1048588", "700", "-1"},
	{"message.timestamp.type", "CreateTime", "LogAppendTime", "never"},
	{"compression.type", "producer", "gzip", "uncompressed", "zip"},
	{"message.timestamp.after.max.ms", "3600000", "100000000", "-5"},
	{"min.insync.replicas", "1", "0"},
	{"follower.replication.throttled.replicas", "*", "0:1", "zero"},
	{"nosuch.config", "1"},
}

func (w *world) setting(d *dice) (name, value string) {
	s := settings[d.n(len(settings))]
	name, value = s[0], s[1+d.n(len(s)-1)]
	w.gzip = w.gzip || value == "gzip"
	return name, value
}

// setupStep is how each sequence begins: with two topics, and records in one of them,
// so that what comes after it has something to work on.
func (w *world) setupStep(*dice) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	for slot, partitions := range []int32{2, 1} {
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = w.topicName(slot), partitions, 1
		req.Topics = append(req.Topics, rt)
	}
	w.change("t0 and t1", req, 4)
	w.settle()
	for range 2 {
		w.ask("t0/0", produce(w.topicName(0), w.ids[0], -1, w.batch(kafka.BatchSpec{}, "a", "b", "c")), 9)
	}
}

func (w *world) createStep(d *dice) {
	slot, version := pick(d, 0, 1, 2, 2, 2), d.version(2, 7)
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.ValidateOnly = 10_000, d.one(6)
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = w.topicName(slot), pick[int32](d, 1, 2, 3, 2, 2, -1, 0), pick[int16](d, 1, 1, 1, 1, -1, 0, 2)
	what := fmt.Sprintf("t%d partitions %d replicas %d only looking %v", slot, rt.NumPartitions, rt.ReplicationFactor, req.ValidateOnly)
	if d.one(10) {
		rt.Topic, what = pick(d, "", "..", "bad name", strings.Repeat("x", 250)), what+" by a bad name"
	}
	for range d.n(3) {
		name, value := w.setting(d)
		rc := kmsg.NewCreateTopicsRequestTopicConfig()
		rc.Name, rc.Value = name, &value
		rt.Configs = append(rt.Configs, rc)
		what += fmt.Sprintf(" %s=%s", name, value)
	}
	if d.one(8) {
		replicas := pick(d, []int32{1}, []int32{2}, nil, []int32{1, 1})
		rt.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: int32(d.n(2)), Replicas: replicas}}
		if d.one(2) {
			rt.NumPartitions, rt.ReplicationFactor = -1, -1
		}
		what += fmt.Sprintf(" assigned to %v", rt.ReplicaAssignment)
	}
	req.Topics = append(req.Topics, rt)
	if d.one(12) {
		req.Topics = append(req.Topics, rt)
		what += " twice"
	}
	w.change(what, req, version)
}

func (w *world) deleteStep(d *dice) {
	slot, version := d.n(slots), d.version(1, 6)
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 10_000
	rt := kmsg.NewDeleteTopicsRequestTopic()
	name, how := w.topicName(slot), "by name"
	rt.Topic = &name
	if version >= 6 && d.one(2) {
		rt.Topic, rt.TopicID, how = nil, w.idOf(slot), "by id"
	}
	req.TopicNames, req.Topics = []string{name}, append(req.Topics, rt)
	if d.one(8) {
		req.TopicNames, req.Topics, how = append(req.TopicNames, name), append(req.Topics, rt), how+" twice"
	}
	w.change(fmt.Sprintf("t%d %s", slot, how), req, version)
}

func (w *world) partitionsStep(d *dice) {
	name, _, label := w.topicOf(d)
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis, req.ValidateOnly = 10_000, d.one(4)
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = name, pick[int32](d, 2, 3, 3, 1, 0, -1)
	what := fmt.Sprintf("%s to %d only looking %v", label, rt.Count, req.ValidateOnly)
	if d.one(4) {
		for range 1 + d.n(2) {
			rt.Assignment = append(rt.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: pick(d, []int32{1}, []int32{1}, []int32{2}, nil)})
		}
		what += fmt.Sprintf(" assigned to %v", rt.Assignment)
	}
	req.Topics = append(req.Topics, rt)
	w.change(what, req, d.version(0, 3))
}

func (w *world) incrementalStep(d *dice) {
	name, _, label := w.topicOf(d)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.ValidateOnly = d.one(5)
	what := fmt.Sprintf("%s only looking %v", label, req.ValidateOnly)
	rr := kmsg.NewIncrementalAlterConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeTopic, name
	for range 1 + d.n(2) {
		rc := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config, value := w.setting(d)
		rc.Name, rc.Op = config, pick[kmsg.IncrementalAlterConfigOp](d, 0, 0, 0, 1, 2, 3)
		if rc.Op != 1 {
			rc.Value = &value
		}
		rr.Configs = append(rr.Configs, rc)
		what += fmt.Sprintf(" op %d %s=%s", rc.Op, config, value)
	}
	req.Resources = append(req.Resources, rr)
	w.change(what, req, d.version(0, 1))
}

func (w *world) alterStep(d *dice) {
	name, _, label := w.topicOf(d)
	req := kmsg.NewPtrAlterConfigsRequest()
	req.ValidateOnly = d.one(5)
	what := fmt.Sprintf("%s only looking %v", label, req.ValidateOnly)
	rr := kmsg.NewAlterConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeTopic, name
	for range d.n(3) {
		rc := kmsg.NewAlterConfigsRequestResourceConfig()
		config, value := w.setting(d)
		rc.Name, rc.Value = config, &value
		rr.Configs = append(rr.Configs, rc)
		what += fmt.Sprintf(" %s=%s", config, value)
	}
	req.Resources = append(req.Resources, rr)
	w.change(what, req, d.version(0, 2))
}

func (w *world) describeConfigsStep(d *dice) {
	name, _, label := w.topicOf(d)
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms = d.one(2)
	rr := kmsg.NewDescribeConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeTopic, name
	if d.one(2) {
		for _, s := range settings {
			rr.ConfigNames = append(rr.ConfigNames, s[0])
		}
	}
	req.Resources = append(req.Resources, rr)
	w.ask(fmt.Sprintf("%s %d names, synonyms %v", label, len(rr.ConfigNames), req.IncludeSynonyms), req, d.version(1, 4))
}

func (w *world) metadataStep(d *dice) {
	version := d.version(4, 13)
	req := metadata(false, w.topicName(d.n(slots)), w.topicName(d.n(slots)))
	req.IncludeTopicAuthorizedOperations, req.IncludeClusterAuthorizedOperations = d.one(3), d.one(3)
	what := "by names"
	switch {
	case version >= 12 && d.one(2):
		for i := range req.Topics {
			req.Topics[i].Topic, req.Topics[i].TopicID = nil, w.idOf(d.n(slots))
		}
		what = "by ids"
	case d.one(4):
		req.Topics, what = nil, "of all"
	case d.one(3):
		req.Topics, what = []kmsg.MetadataRequestTopic{}, "of none"
	}
	w.ask(what, req, version)
}

func (w *world) describeTopicsStep(d *dice) {
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = pick[int32](d, 2000, 1, 2, 3)
	for i := range 1 + d.n(slots) {
		req.Topics = append(req.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: w.topicName(i)})
	}
	if d.one(3) {
		c := kmsg.NewDescribeTopicPartitionsRequestCursor()
		c.Topic, c.Partition = w.topicName(d.n(slots)), int32(d.n(3))
		req.Cursor = &c
	}
	w.ask(fmt.Sprintf("%d topics, at most %d, from %v", len(req.Topics), req.ResponsePartitionLimit, req.Cursor), req, 0)
}

func (w *world) logDirsStep(d *dice) {
	name, _, label := w.topicOf(d)
	if w.gzip { // how long it is then: TestSizeOfWhatTheBrokerCompressed
		name, label = "nosuch-"+w.run, "a topic that is not there"
	}
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: name, Partitions: []int32{0, 1, 7}}}
	w.ask(label, req, d.version(1, 5))
}

func (w *world) shapeStep(d *dice) {
	name, _, label := w.topicOf(d)
	partition := partitionOf(d)
	if d.one(2) {
		req := kmsg.NewPtrElectLeadersRequest()
		req.ElectionType, req.TimeoutMillis = int8(d.n(3)), 10_000
		req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: name, Partitions: []int32{partition}}}
		w.ask(fmt.Sprintf("%s/%d by %d", label, partition, req.ElectionType), req, d.version(0, 2))
		return
	}
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis = 10_000
	replicas := pick(d, []int32{1}, nil, []int32{2}, []int32{})
	req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: name, Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: partition, Replicas: replicas}}}}
	w.ask(fmt.Sprintf("%s/%d to %v", label, partition, replicas), req, d.version(0, 1))
}
