package raw

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopic makes a topic with one replica.
func (c *Conn) CreateTopic(topic string, partitions int, configs map[string]string) error {
	req, resp := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewPtrCreateTopicsResponse()
	req.Version, req.TimeoutMillis = 4, 60000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, int32(partitions), 1
	for k, v := range configs {
		rc := kmsg.NewCreateTopicsRequestTopicConfig()
		rc.Name, rc.Value = k, &v
		t.Configs = append(t.Configs, rc)
	}
	req.Topics = append(req.Topics, t)
	if err := c.Do(req, resp); err != nil {
		return err
	}
	if len(resp.Topics) != 1 {
		return fmt.Errorf("create topic %s: an answer about %d topics", topic, len(resp.Topics))
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// DeleteTopic removes a topic.
func (c *Conn) DeleteTopic(topic string) error {
	req, resp := kmsg.NewPtrDeleteTopicsRequest(), kmsg.NewPtrDeleteTopicsResponse()
	req.Version, req.TimeoutMillis, req.TopicNames = 3, 60000, []string{topic}
	if err := c.Do(req, resp); err != nil {
		return err
	}
	if len(resp.Topics) != 1 {
		return fmt.Errorf("delete topic %s: an answer about %d topics", topic, len(resp.Topics))
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	return nil
}

// Leaders asks whether the topic has as many partitions as wanted and a leader for
// each; the error says what is missing. With no topic it asks for brokers only.
func (c *Conn) Leaders(topic string, partitions int) error {
	req, resp := kmsg.NewPtrMetadataRequest(), kmsg.NewPtrMetadataResponse()
	req.Version, req.Topics = 5, []kmsg.MetadataRequestTopic{}
	if topic != "" {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		req.Topics = append(req.Topics, t)
	}
	if err := c.Do(req, resp); err != nil {
		return err
	}
	if len(resp.Brokers) == 0 {
		return errors.New("no broker yet")
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("topic %s: %w", topic, err)
		}
		if len(t.Partitions) != partitions {
			return fmt.Errorf("topic %s has %d partitions: want %d", topic, len(t.Partitions), partitions)
		}
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil || p.Leader < 0 {
				return fmt.Errorf("topic %s, partition %d has leader %d: %v", topic, p.Partition, p.Leader, err)
			}
		}
	}
	return nil
}

// Ends asks for the end offset of each of the partitions 0 to n-1.
func (c *Conn) Ends(topic string, n int) ([]int64, error) {
	req, resp := kmsg.NewPtrListOffsetsRequest(), kmsg.NewPtrListOffsetsResponse()
	req.Version, req.ReplicaID = 5, -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for p := range int32(n) {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p, -1
		t.Partitions = append(t.Partitions, rp)
	}
	req.Topics = append(req.Topics, t)
	if err := c.Do(req, resp); err != nil {
		return nil, err
	}
	ends, seen := make([]int64, n), 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("end of %s/%d: %w", topic, p.Partition, err)
			}
			ends[p.Partition], seen = p.Offset, seen+1
		}
	}
	if seen != n {
		return nil, fmt.Errorf("ends of %s: an answer about %d partitions: want %d", topic, seen, n)
	}
	return ends, nil
}

// Commit commits offsets of a group that has no members.
func (c *Conn) Commit(group, topic string, offsets map[int32]int64) error {
	req, resp := kmsg.NewPtrOffsetCommitRequest(), kmsg.NewPtrOffsetCommitResponse()
	req.Version, req.Group, req.Generation = 7, group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	for p, o := range offsets {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.LeaderEpoch = p, o, -1
		t.Partitions = append(t.Partitions, rp)
	}
	req.Topics = append(req.Topics, t)
	if err := c.Do(req, resp); err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("commit %s of %s/%d: %w", group, topic, p.Partition, err)
			}
		}
	}
	return nil
}

// FindCoordinator asks for the group's coordinator, which creates the topic of the
// groups where the broker has none yet.
func (c *Conn) FindCoordinator(group string) error {
	req, resp := kmsg.NewPtrFindCoordinatorRequest(), kmsg.NewPtrFindCoordinatorResponse()
	req.Version, req.CoordinatorKey = 2, group
	if err := c.Do(req, resp); err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return fmt.Errorf("coordinator of group %s: %w", strconv.Quote(group), err)
	}
	return nil
}
