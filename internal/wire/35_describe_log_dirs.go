package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
)

// DescribeLogDirs: v1-5
//
// Behaviour:
//   - One directory, the data directory, with the size of every partition that is
//     asked for, or of all. Partitions that do not exist are left out.
//   - No partition lags or moves: there are no other replicas.
//
// Versions:
//   - v2: flexible
//   - v3: an error for the whole answer
//   - v4: the file system's size, which is not known here (-1), and what is free
//     (KIP-827)
//   - v5: cordoned directories (KIP-1066); this one is not
func (a *api) describeLogDirs(_ *Request, req *kmsg.DescribeLogDirsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	d := kmsg.NewDescribeLogDirsResponseDir()
	d.Dir, d.UsableBytes = a.broker.DataDir()
	s := a.broker.Catalog.Snapshot()
	add := func(t *catalog.Topic, partitions []int32) {
		dt := kmsg.NewDescribeLogDirsResponseDirTopic()
		dt.Topic = t.Name
		for _, i := range partitions {
			if p := a.broker.PartitionByID(t.ID, i); p != nil {
				dp := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
				dp.Partition, dp.Size = i, p.Log.Size()
				dt.Partitions = append(dt.Partitions, dp)
			}
		}
		if len(dt.Partitions) > 0 {
			d.Topics = append(d.Topics, dt)
		}
	}
	if req.Topics == nil {
		for _, t := range s.Topics() {
			all := make([]int32, t.Partitions)
			for i := range all {
				all[i] = int32(i)
			}
			add(t, all)
		}
	}
	for _, rt := range req.Topics {
		if t := s.Topic(rt.Topic); t != nil {
			add(t, rt.Partitions)
		}
	}
	resp.Dirs = append(resp.Dirs, d)
	return answer(resp)
}
