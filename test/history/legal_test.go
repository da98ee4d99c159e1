package history

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// simple is a broker in a few lines, which does everything right, with clients
// that do all that they may.
type simple struct {
	rng       *rand.Rand
	now       time.Duration
	value     int64
	logs      map[string][]int64
	committed map[string]int64
	ops       []Op
	// positions of the direct readers and of the group's members
	readers []map[string]int64
	members []map[string]int64
}

const members = 3

// legal makes up a history of so many operations that has no anomaly.
func legal(seed uint64, n int) []Op {
	s := &simple{rng: rand.New(rand.NewPCG(seed, 0)), logs: map[string][]int64{}, committed: map[string]int64{}}
	for i := range 4 {
		s.logs[fmt.Sprintf("t/%d", i)] = nil
	}
	for range 2 {
		s.readers = append(s.readers, map[string]int64{})
	}
	for range members {
		s.members = append(s.members, map[string]int64{})
	}
	s.rebalance()
	for len(s.ops) < n {
		switch s.rng.IntN(12) {
		case 0:
			s.ask()
		case 1:
			s.reassign()
		case 2:
			if s.rng.IntN(10) == 0 {
				s.rebalance()
			}
		case 3, 4, 5:
			s.pollMember()
		case 6, 7:
			i := s.rng.IntN(len(s.readers))
			s.poll(fmt.Sprintf("reader-%d", i), s.readers[i])
		default:
			s.send()
		}
	}
	// Somebody reads everything.
	all := map[string]int64{}
	for key := range s.logs {
		all[key] = 0
	}
	s.do("last", Assign, nil, maps.Clone(all))
	for s.poll("last", all) {
	}
	return s.ops
}

func (s *simple) keys() []string { return slices.Sorted(maps.Keys(s.logs)) }

func (s *simple) key() string { return s.keys()[s.rng.IntN(len(s.logs))] }

func (s *simple) do(client string, kind Kind, messages []Message, offsets map[string]int64) *Op {
	s.now += time.Duration(s.rng.IntN(3) + 1)
	start := s.now
	s.now += time.Duration(s.rng.IntN(3))
	s.ops = append(s.ops, Op{Client: client, Kind: kind, Status: OK, Start: start, End: s.now, Messages: messages, Offsets: offsets})
	return &s.ops[len(s.ops)-1]
}

func (s *simple) send() {
	i := s.rng.IntN(4)
	once := i < 3 // the last one is not idempotent
	key, one := s.key(), s.rng.IntN(2) == 0
	var ms []Message
	status := OK
	switch s.rng.IntN(20) {
	case 0:
		status = Unknown
	case 1:
		status = Failed
	}
	for range s.rng.IntN(4) + 1 {
		if !one {
			key = s.key()
		}
		s.value++
		m := Message{key, -1, s.value}
		if status == OK || status == Unknown && s.rng.IntN(2) == 0 {
			if !once && s.rng.IntN(5) == 0 {
				s.logs[key] = append(s.logs[key], s.value) // sent twice, told of the second
			}
			s.logs[key] = append(s.logs[key], s.value)
			if status == OK {
				m.Offset = int64(len(s.logs[key])) - 1
			}
		}
		ms = append(ms, m)
	}
	op := s.do(fmt.Sprintf("producer-%d", i), Send, ms, nil)
	op.Status, op.Once, op.Durable = status, once, once
}

// poll reads a little of some keys; it tells whether there was anything.
func (s *simple) poll(client string, at map[string]int64) bool {
	var ms []Message
	for _, key := range slices.Sorted(maps.Keys(at)) {
		log := s.logs[key]
		for n := s.rng.IntN(6) + 1; n > 0 && at[key] < int64(len(log)); n-- {
			ms = append(ms, Message{key, at[key], log[at[key]]})
			at[key]++
		}
	}
	s.do(client, Poll, ms, nil)
	return len(ms) > 0
}

// reassign has a direct reader begin anew, somewhere.
func (s *simple) reassign() {
	i := s.rng.IntN(len(s.readers))
	at := map[string]int64{}
	for _, key := range s.keys() {
		if s.rng.IntN(2) == 0 {
			at[key] = s.rng.Int64N(int64(len(s.logs[key])) + 1)
		}
	}
	s.readers[i] = at
	s.do(fmt.Sprintf("reader-%d", i), Assign, nil, maps.Clone(at))
}

// rebalance gives the group's keys to its members anew.
func (s *simple) rebalance() {
	for i := range members {
		if len(s.members[i]) > 0 {
			s.do(fmt.Sprintf("member-%d", i), Revoke, nil, maps.Clone(s.members[i]))
		}
		s.members[i] = map[string]int64{}
	}
	for _, key := range s.keys() {
		i := s.rng.IntN(members)
		s.do(fmt.Sprintf("member-%d", i), Assign, nil, map[string]int64{key: Committed})
		s.members[i][key] = s.committed[key]
	}
}

// pollMember polls as a member of the group, and perhaps commits.
func (s *simple) pollMember() {
	i := s.rng.IntN(members)
	client := fmt.Sprintf("member-%d", i)
	s.poll(client, s.members[i])
	if len(s.members[i]) == 0 || s.rng.IntN(3) == 0 {
		return
	}
	op := s.do(client, Commit, nil, maps.Clone(s.members[i]))
	if s.rng.IntN(10) == 0 {
		op.Status = Unknown
		if s.rng.IntN(2) == 0 {
			return
		}
	}
	maps.Copy(s.committed, s.members[i])
}

// ask asks for ends and for the group's offsets.
func (s *simple) ask() {
	ends := map[string]int64{}
	for key, log := range s.logs {
		ends[key] = int64(len(log))
	}
	s.do("asker", Ends, nil, ends)
	s.do("asker", Fetch, nil, maps.Clone(s.committed))
}
