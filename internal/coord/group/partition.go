package group

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
)

// partition is a partition of a topic.
type partition struct {
	topic TopicID
	index int32
}

func comparePartitions(a, b partition) int {
	if c := bytes.Compare(a.topic[:], b.topic[:]); c != 0 {
		return c
	}
	return cmp.Compare(a.index, b.index)
}

// sortedKeys are a map's partitions by topic and index.
func sortedKeys[V any](m map[partition]V) []partition {
	ps := make([]partition, 0, len(m))
	for p := range m {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, comparePartitions)
	return ps
}

// sortedPartitions sorts partitions and drops doubles; it takes ps over.
func sortedPartitions(ps []partition) []partition {
	slices.SortFunc(ps, comparePartitions)
	return slices.Compact(ps)
}

// byTopic yields runs of sorted partitions with the same topic.
func byTopic(ps []partition) iter.Seq2[TopicID, []partition] {
	return func(yield func(TopicID, []partition) bool) {
		for len(ps) > 0 {
			n := 1
			for n < len(ps) && ps[n].topic == ps[0].topic {
				n++
			}
			if !yield(ps[0].topic, ps[:n:n]) {
				return
			}
			ps = ps[n:]
		}
	}
}

// countTopics is how many runs byTopic yields.
func countTopics(ps []partition) int {
	n := 0
	for range byTopic(ps) {
		n++
	}
	return n
}

// indexes are the numbers of the partitions.
func indexes(ps []partition) []int32 {
	is := make([]int32, len(ps))
	for i, p := range ps {
		is[i] = p.index
	}
	return is
}
