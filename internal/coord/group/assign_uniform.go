package group

import (
	"cmp"
	"slices"
)

// uniform gives every member as many partitions as the others, as far as they read the
// same topics, and lets each keep what it has where it can.
func uniform(a assignment) map[string][]partition {
	if len(a.members) == 0 {
		return nil
	}
	u := &uniformity{a: a, held: make([][]partition, len(a.members)), owner: make(map[partition]int)}
	u.keep()
	if a.homogeneous() {
		u.level()
	} else {
		u.place()
		u.balance()
	}
	out := make(map[string][]partition, len(a.members))
	for i, ps := range u.held {
		slices.SortFunc(ps, comparePartitions)
		out[a.members[i].id] = ps
	}
	return out
}

// uniformity is an assignment in the making; members are numbered.
type uniformity struct {
	a     assignment
	held  [][]partition     // by member
	owner map[partition]int // of the partitions that are held
}

func (u *uniformity) give(p partition, member int) {
	u.held[member] = append(u.held[member], p)
	u.owner[p] = member
}

// keep leaves the members what they have and may still have.
func (u *uniformity) keep() {
	for i, m := range u.a.members {
		for _, p := range m.current {
			_, reads := slices.BinarySearchFunc(m.topics, p.topic, compareTopics)
			_, taken := u.owner[p]
			if reads && !taken && p.index < u.a.partitions[p.topic] {
				u.give(p, i)
			}
		}
	}
}

// free are the partitions that nobody holds.
func (u *uniformity) free() []partition {
	var ps []partition
	for _, t := range u.a.topics() {
		for i := range u.a.partitions[t] {
			if p := (partition{t, i}); !u.has(p) {
				ps = append(ps, p)
			}
		}
	}
	return ps
}

func (u *uniformity) has(p partition) bool { _, ok := u.owner[p]; return ok }

// level is for members that read the same topics: who holds more than the share gives
// up, who holds less gets. Where partitions are left over, those have one more that hold
// more already, then the last ones; and what nobody held is given before what was given
// up: as Kafka does, in the order of the members' ids.
func (u *uniformity) level() {
	total := 0
	for _, n := range u.a.partitions {
		total += int(n)
	}
	share, extra := total/len(u.a.members), total%len(u.a.members)
	quota := make([]int, len(u.held))
	for i, ps := range u.held {
		quota[i] = share
		if len(ps) > share && extra > 0 {
			quota[i]++
			extra--
		}
	}
	for i := len(quota) - 1; extra > 0; i-- {
		if quota[i] == share {
			quota[i]++
			extra--
		}
	}
	free := u.free()
	for i, ps := range u.held {
		if len(ps) <= quota[i] {
			continue
		}
		for _, p := range ps[quota[i]:] {
			delete(u.owner, p)
			free = append(free, p)
		}
		u.held[i] = ps[:quota[i]]
	}
	for i := range u.held {
		n := min(quota[i]-len(u.held[i]), len(free))
		for _, p := range free[:n] {
			u.give(p, i)
		}
		free = free[n:]
	}
}

// readers are the members that read a topic.
func (u *uniformity) readers() map[TopicID][]int {
	readers := make(map[TopicID][]int)
	for i, m := range u.a.members {
		for _, t := range m.topics {
			readers[t] = append(readers[t], i)
		}
	}
	return readers
}

// place gives what nobody holds to the reader that holds least; first the partitions
// that the fewest can have.
func (u *uniformity) place() {
	readers := u.readers()
	free := u.free()
	slices.SortStableFunc(free, func(p, q partition) int {
		return cmp.Compare(len(readers[p.topic]), len(readers[q.topic]))
	})
	for _, p := range free {
		best := -1
		for _, i := range readers[p.topic] {
			if best < 0 || len(u.held[i]) < len(u.held[best]) {
				best = i
			}
		}
		if best >= 0 {
			u.give(p, best)
		}
	}
}

// balance moves partitions from members that hold more to members that hold less,
// where the way may lead over others that give one and get one, until no way leads to
// one that holds two less.
func (u *uniformity) balance() {
	readers := u.readers()
	order := make([]int, len(u.held))
	for i := range order {
		order[i] = i
	}
	for moved := true; moved; {
		moved = false
		slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(len(u.held[y]), len(u.held[x])) })
		// Those that a search in vain has come to cannot get rid of anything either, if
		// they hold no more than the one that it began from; and that one comes first.
		stuck := make([]bool, len(u.held))
		for _, from := range order {
			for !stuck[from] && len(u.held[from]) > len(u.held[order[len(order)-1]])+1 {
				way := u.way(from, readers)
				if way.to < 0 {
					for i := range way.back {
						stuck[i] = true
					}
					break
				}
				u.follow(way)
				clear(stuck)
				moved = true
			}
		}
	}
}

// way leads partitions from one member to another that holds two less.
type way struct {
	from, to int          // to is -1 when there is none
	back     map[int]step // of every member that was come to
}

// step is where a member was come from, by a partition that could be its own.
type step struct {
	member int
	p      partition
}

// way looks for the shortest way from a member.
func (u *uniformity) way(from int, readers map[TopicID][]int) way {
	w := way{from, -1, map[int]step{from: {-1, partition{}}}}
	seen := make(map[TopicID]bool)
	for queue := []int{from}; len(queue) > 0 && w.to < 0; queue = queue[1:] {
		at := queue[0]
		for _, p := range u.held[at] {
			if seen[p.topic] {
				continue
			}
			seen[p.topic] = true
			for _, i := range readers[p.topic] {
				if _, been := w.back[i]; been {
					continue
				}
				w.back[i] = step{at, p}
				queue = append(queue, i)
				if n := len(u.held[i]); n <= len(u.held[from])-2 && (w.to < 0 || n < len(u.held[w.to])) {
					w.to = i
				}
			}
		}
	}
	return w
}

// follow moves a partition along each step of the way.
func (u *uniformity) follow(w way) {
	for to := w.to; to != w.from; {
		s := w.back[to]
		u.held[s.member] = slices.DeleteFunc(u.held[s.member], func(p partition) bool { return p == s.p })
		u.give(s.p, to)
		to = s.member
	}
}
