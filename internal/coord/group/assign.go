package group

import (
	"bytes"
	"cmp"
	"slices"
)

// assignment is what an assignor decides about: who shares which partitions.
type assignment struct {
	members []assignee // by id
	// partitions are how many partitions each topic has that a member reads.
	partitions map[TopicID]int32
}

// assignee is a member that gets partitions.
type assignee struct {
	id       string
	instance string    // "" for none
	topics   []TopicID // that it reads and that exist, sorted
	// current is what it shall have as of now, sorted; it may be of topics that it does
	// not read any more.
	current []partition
}

// assignors are the ways to assign partitions, by name. Each gives every partition to
// exactly one of the members that read its topic, if there are any; the lists are
// sorted, and members without partitions may be missing.
var assignors = map[string]func(assignment) map[string][]partition{
	"uniform": uniform,
	"range":   ranges,
}

func compareTopics(a, b TopicID) int { return bytes.Compare(a[:], b[:]) }

// topics are all topics, sorted.
func (a *assignment) topics() []TopicID {
	ts := make([]TopicID, 0, len(a.partitions))
	for t := range a.partitions {
		ts = append(ts, t)
	}
	slices.SortFunc(ts, compareTopics)
	return ts
}

// homogeneous says that all members read the same topics.
func (a *assignment) homogeneous() bool {
	for _, m := range a.members {
		if len(m.topics) != len(a.partitions) {
			return false
		}
	}
	return true
}

// ranges gives each member one run of the partitions of each of its topics, as many to
// each as to the others; the first get one more if they do not come out even. The
// order of the members is the same for all topics: what has the same number in topics
// with equal numbers of partitions comes together. Static members come first, by their
// instance ids, and so keep their partitions when they restart.
func ranges(a assignment) map[string][]partition {
	members := slices.Clone(a.members)
	slices.SortStableFunc(members, func(x, y assignee) int {
		if (x.instance == "") != (y.instance == "") {
			if x.instance != "" {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.instance, y.instance), cmp.Compare(x.id, y.id))
	})
	readers := make(map[TopicID]int32)
	for _, m := range members {
		for _, t := range m.topics {
			readers[t]++
		}
	}
	out := make(map[string][]partition)
	next, served := make(map[TopicID]int32), make(map[TopicID]int32)
	for _, m := range members {
		for _, t := range m.topics {
			n, r := a.partitions[t], readers[t]
			share := n / r
			if served[t] < n%r {
				share++
			}
			served[t]++
			for range share {
				out[m.id] = append(out[m.id], partition{t, next[t]})
				next[t]++
			}
		}
	}
	return out
}
