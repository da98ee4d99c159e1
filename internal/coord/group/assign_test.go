package group

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
)

// Whatever members read and have: every partition that somebody reads goes to one of
// its readers, none moves without need, and no way leads from a member to one that has
// two less.
func TestAssignors(t *testing.T) {
	t.Parallel()
	for seed := range int64(3000) {
		rnd := rand.New(rand.NewSource(seed))
		a := assignment{partitions: map[TopicID]int32{}}
		var all []TopicID
		for i := range 1 + rnd.Intn(5) {
			all = append(all, topicIDOf(fmt.Sprint("t", i), 1))
		}
		mixed := rnd.Intn(2) == 0
		for i := range 1 + rnd.Intn(6) {
			m := assignee{id: fmt.Sprint("m", i)}
			if rnd.Intn(3) == 0 {
				m.instance = fmt.Sprint("i", rnd.Intn(100))
			}
			for _, topic := range all {
				if mixed && rnd.Intn(3) == 0 {
					continue
				}
				m.topics = append(m.topics, topic)
				if _, ok := a.partitions[topic]; !ok {
					a.partitions[topic] = int32(rnd.Intn(7))
				}
			}
			a.members = append(a.members, m)
		}
		// What they have now may be anything, also of two at once.
		for range rnd.Intn(20) {
			m := &a.members[rnd.Intn(len(a.members))]
			p := partition{all[rnd.Intn(len(all))], int32(rnd.Intn(8))}
			m.current = sortedPartitions(append(m.current, p))
		}
		for name, assign := range assignors {
			out := assign(a)
			checkAssignment(t, fmt.Sprint(name, ", seed ", seed), a, out)
			if name == "uniform" {
				checkUniform(t, seed, a, out)
			}
			if t.Failed() {
				t.Fatalf("of %+v", a)
			}
		}
	}
}

func checkAssignment(t *testing.T, what string, a assignment, out map[string][]partition) {
	t.Helper()
	given := map[partition]string{}
	for _, m := range a.members {
		ps := out[m.id]
		if !slices.IsSortedFunc(ps, comparePartitions) {
			t.Errorf("%s: %s has %s, not sorted", what, m.id, partitionsText(ps))
		}
		for _, p := range ps {
			if !slices.Contains(m.topics, p.topic) || p.index < 0 || p.index >= a.partitions[p.topic] || given[p] != "" {
				t.Errorf("%s: %s has %s/%d, which is also %q's", what, m.id, topicText(p.topic), p.index, given[p])
			}
			given[p] = m.id
		}
	}
	want := 0
	for _, n := range a.partitions {
		want += int(n)
	}
	if len(given) != want {
		t.Errorf("%s: %d of %d partitions are given", what, len(given), want)
	}
}

func checkUniform(t *testing.T, seed int64, a assignment, out map[string][]partition) {
	t.Helper()
	u := &uniformity{a: a, held: make([][]partition, len(a.members)), owner: map[partition]int{}}
	fewest, most := 1<<30, 0
	for i, m := range a.members {
		for _, p := range out[m.id] {
			u.give(p, i)
		}
		fewest, most = min(fewest, len(out[m.id])), max(most, len(out[m.id]))
	}
	for i := range a.members {
		if w := u.way(i, u.readers()); w.to >= 0 {
			t.Errorf("seed %d: %s has %d, %s %d, and a way leads there", seed, a.members[i].id, len(u.held[i]), a.members[w.to].id, len(u.held[w.to]))
		}
	}
	if a.homogeneous() && most > fewest+1 {
		t.Errorf("seed %d: from %d to %d partitions", seed, fewest, most)
	}
	// Once more, nothing moves.
	for i := range a.members {
		a.members[i].current = out[a.members[i].id]
	}
	again := uniform(a)
	for _, m := range a.members {
		if !slices.Equal(again[m.id], out[m.id]) {
			t.Errorf("seed %d: %s had %s and gets %s", seed, m.id, partitionsText(out[m.id]), partitionsText(again[m.id]))
		}
	}
}
