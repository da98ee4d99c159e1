package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// pages asks for topics page by page and returns each page as text.
func pages(c *client, limit int32, names ...string) []string {
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = limit
	for _, name := range names {
		req.Topics = append(req.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
	}
	var out []string
	for {
		resp := ask[*kmsg.DescribeTopicPartitionsResponse](c, req, 0)
		var page []string
		for _, rt := range resp.Topics {
			s := *rt.Topic
			if rt.ErrorCode != 0 {
				s += " " + says(rt.ErrorCode, nil)
			}
			for _, p := range rt.Partitions {
				s += fmt.Sprint(" ", p.Partition)
			}
			page = append(page, s)
		}
		out = append(out, strings.Join(page, ", "))
		if resp.NextCursor == nil || len(out) > 20 {
			return out
		}
		cursor := kmsg.NewDescribeTopicPartitionsRequestCursor()
		cursor.Topic, cursor.Partition = resp.NextCursor.Topic, resp.NextCursor.Partition
		req.Cursor = &cursor
	}
}

// KIP-966: paging, as Kafka 4.3.1 does it.
func TestDescribeTopicPartitions(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, map[string]string{"num.partitions": "3"})
	c := b.dial()
	b.makeTopics(c, "a", "b", "c")
	for _, x := range []struct {
		limit int32
		names []string
		want  []string
	}{
		{2000, nil, []string{"a 0 1 2, b 0 1 2, c 0 1 2"}},
		{2, nil, []string{"a 0 1", "a 2, b 0", "b 1 2", "c 0 1", "c 2"}},
		{3, []string{"c", "nosuch", "a", "bad name", "a"}, []string{"a 0 1 2", "bad name INVALID_TOPIC_EXCEPTION, c 0 1 2", "nosuch UNKNOWN_TOPIC_OR_PARTITION"}},
		{0, []string{"a"}, []string{"a 0", "a 1", "a 2"}},
		{-5, []string{"a"}, []string{"a 0", "a 1", "a 2"}},
	} {
		if got := pages(c, x.limit, x.names...); !slices.Equal(got, x.want) {
			t.Errorf("limit %d of %q:\n got %q\nwant %q", x.limit, x.names, got, x.want)
		}
	}
	rt := ask[*kmsg.DescribeTopicPartitionsResponse](c, kmsg.NewPtrDescribeTopicPartitionsRequest(), 0).Topics[0]
	if p := rt.Partitions[0]; p.LeaderID != 1 || p.LeaderEpoch != b.broker.Epoch || !slices.Equal(p.ISR, []int32{1}) || rt.AuthorizedOperations != 3576 ||
		rt.TopicID != b.broker.Catalog.Snapshot().Topic("a").ID {
		t.Errorf("%+v", rt)
	}
}

func TestDescribeTopicPartitionsCursor(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, map[string]string{"num.partitions": "2"})
	c := b.dial()
	b.makeTopics(c, "a", "c")
	for _, x := range []struct {
		cursor string
		part   int32
		names  []string
		want   string
	}{
		{"a", -1, []string{"a", "c"}, "a INVALID_REQUEST, c INVALID_REQUEST"},
		{"b", 1, []string{"a", "c"}, "a INVALID_REQUEST, c INVALID_REQUEST"},
		{"b", 1, nil, "c 0 1"}, // b was deleted since the page before
		{"a", 1 << 30, nil, "a, c 0 1"},
		{"c", 1, nil, "c 1"},
	} {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		for _, name := range x.names {
			req.Topics = append(req.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
		}
		cursor := kmsg.NewDescribeTopicPartitionsRequestCursor()
		cursor.Topic, cursor.Partition = x.cursor, x.part
		req.Cursor = &cursor
		var got []string
		for _, rt := range ask[*kmsg.DescribeTopicPartitionsResponse](c, req, 0).Topics {
			s := *rt.Topic
			if rt.ErrorCode != 0 {
				s += " " + says(rt.ErrorCode, nil)
			}
			for _, p := range rt.Partitions {
				s += fmt.Sprint(" ", p.Partition)
			}
			got = append(got, s)
		}
		if s := strings.Join(got, ", "); s != x.want {
			t.Errorf("cursor %s/%d: %s, want %s", x.cursor, x.part, s, x.want)
		}
	}
}
