package wire

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeLogDirs(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, map[string]string{"num.partitions": "2"})
	c := b.dial()
	b.makeTopics(c, "a", "b")
	p := b.broker.Partition("a", 1)
	appendSome(t, b.broker, p, "x")
	versions(t, 35, func(t *testing.T, version int16) {
		req := kmsg.NewPtrDescribeLogDirsRequest()
		resp := ask[*kmsg.DescribeLogDirsResponse](c, req, version)
		if len(resp.Dirs) != 1 || resp.Dirs[0].Dir != "/data" || resp.Dirs[0].ErrorCode != 0 || resp.ErrorCode != 0 {
			t.Fatalf("%+v", resp)
		}
		if got := sizes(resp); !slices.Equal(got, []string{"a/0 0", fmt.Sprint("a/1 ", p.Log.Size()), "b/0 0", "b/1 0"}) || p.Log.Size() == 0 {
			t.Errorf("sizes %q", got)
		}
		if d := resp.Dirs[0]; version >= 4 && (d.TotalBytes != -1 || d.UsableBytes <= 0) {
			t.Errorf("%d of %d", d.UsableBytes, d.TotalBytes)
		}
		req.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "b", Partitions: []int32{1, 7}}, {Topic: "nosuch", Partitions: []int32{0}}}
		if got := sizes(ask[*kmsg.DescribeLogDirsResponse](c, req, version)); !slices.Equal(got, []string{"b/1 0"}) {
			t.Errorf("of b: %q", got)
		}
		req.Topics = []kmsg.DescribeLogDirsRequestTopic{}
		if got := sizes(ask[*kmsg.DescribeLogDirsResponse](c, req, version)); len(got) != 0 {
			t.Errorf("of none: %q", got)
		}
	})
}

func sizes(resp *kmsg.DescribeLogDirsResponse) []string {
	var out []string
	for _, dt := range resp.Dirs[0].Topics {
		for _, p := range dt.Partitions {
			out = append(out, fmt.Sprintf("%s/%d %d", dt.Topic, p.Partition, p.Size))
		}
	}
	return out
}
