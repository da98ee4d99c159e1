package group

import (
	"fmt"
	"testing"
)

// BenchmarkUniform is one more member for a group that had its shares.
func BenchmarkUniform(b *testing.B) {
	for _, mixed := range []bool{false, true} {
		b.Run(fmt.Sprint("mixed=", mixed), func(b *testing.B) {
			const members, topics, each = 1000, 10, 100
			a := assignment{partitions: map[TopicID]int32{}}
			var all []TopicID
			for t := range topics {
				id := topicIDOf(fmt.Sprintf("t%02d", t), 1)
				a.partitions[id] = each
				all = append(all, id)
			}
			for m := range members {
				reads := all
				if mixed {
					reads = all[m%5 : m%5+5]
				}
				a.members = append(a.members, assignee{id: fmt.Sprintf("m%04d", m), topics: reads})
			}
			last := a.members[members-1]
			a.members = a.members[:members-1]
			had := uniform(a)
			for i := range a.members {
				a.members[i].current = had[a.members[i].id]
			}
			a.members = append(a.members, last)
			for b.Loop() {
				uniform(a)
			}
		})
	}
}
