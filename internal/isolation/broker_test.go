package isolation

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// simple is a log with transactions in a few lines, which does everything right, and
// clients that do all that they may, at the same time: each operation has a start, one
// moment at which it is done, and an end, and those of others come in between.
type simple struct {
	rng     *rand.Rand
	now     time.Duration
	value   int
	h       History
	logs    map[string][]entry
	settled map[string]int // so many entries of a key are not open
	groups  map[string]int64
	clients []*client
}

// entry is a record, or a marker: of no value.
type entry struct {
	value string
	txn   int
	state Outcome // Unknown: open
}

const group = "g"

// client is a transactional producer, which reads as well; in a group it consumes one key.
type client struct {
	name  string
	key   string // what it consumes for the group; "" for one that reads anything
	txn   int    // open, or NoTxn
	init  int    // its incarnation; -1: it has to begin anew
	wrote bool
	left  []int // transactions of this incarnation and earlier ones, ended or not
	at    map[string]int64
	// The operation under way: what is left of it.
	phases []func()
}

// legal makes up a history of so many operations without an anomaly.
func legal(seed uint64, n int) History {
	s := &simple{rng: rand.New(rand.NewPCG(seed, 0)), logs: map[string][]entry{}, settled: map[string]int{}, groups: map[string]int64{}, h: History{AtOnce: true}}
	for i := range 4 {
		s.logs[fmt.Sprintf("k%d", i)] = nil
	}
	for i := range 6 {
		c := &client{name: fmt.Sprintf("c%d", i), txn: NoTxn, init: -1, at: map[string]int64{}}
		if i < 2 {
			c.key = fmt.Sprintf("k%d", i)
		}
		s.clients = append(s.clients, c)
	}
	for i := 0; i < n || slices.ContainsFunc(s.clients, (*client).busy); {
		c := s.clients[s.rng.IntN(len(s.clients))]
		s.now++
		switch {
		case c.busy():
			next := c.phases[0]
			c.phases = c.phases[1:]
			next()
		case i < n:
			i++
			s.begin(c)
		}
	}
	for _, c := range s.clients {
		s.abandon(c) // as their next incarnations would
	}
	// Somebody reads everything.
	last := &client{name: "last", txn: NoTxn, at: map[string]int64{}}
	for _, key := range s.keys() {
		for last.at[key] < s.stable(key) {
			s.poll(last, key)
			for last.busy() {
				s.now++
				last.phases[0]()
				last.phases = last.phases[1:]
			}
		}
	}
	s.h.Groups = map[string]map[string]int64{group: s.groups}
	return s.h
}

func (c *client) busy() bool { return len(c.phases) > 0 }

func (s *simple) keys() []string { return slices.Sorted(maps.Keys(s.logs)) }

func (s *simple) key() string { return s.keys()[s.rng.IntN(len(s.logs))] }

// stable is the last stable offset of a key.
func (s *simple) stable(key string) int64 {
	log := s.logs[key]
	for s.settled[key] < len(log) && log[s.settled[key]].state != Unknown {
		s.settled[key]++
	}
	return int64(s.settled[key])
}

// begin starts an operation of a client.
func (s *simple) begin(c *client) {
	n := s.rng.IntN(20)
	switch {
	case c.init < 0:
		s.fence(c)
	case n < 2:
		s.ask(c)
	case c.txn == NoTxn && n < 4 && c.key == "":
		s.poll(c, s.key())
	case c.txn == NoTxn:
		c.txn, c.wrote = len(s.h.Txns), false
		c.left = append(c.left, c.txn)
		s.h.Txns = append(s.h.Txns, Txn{Name: fmt.Sprintf("transaction %d of %s", c.txn, c.name), Init: c.init, End: Span{s.now, Never}})
		if c.key != "" {
			t := &s.h.Txns[c.txn]
			t.Group, t.Offsets = group, map[string]int64{}
			c.at[c.key] = s.groups[c.key]
			s.poll(c, c.key)
		}
	case n < 6 && c.key == "":
		s.poll(c, s.key())
	case n < 14 || !c.wrote:
		s.send(c)
	case n == 14:
		c.txn, c.init = NoTxn, -1 // it vanishes, and leaves it open
	default:
		s.end(c, s.rng.IntN(4) > 0)
	}
}

// abandon aborts what a client has left open, as InitProducerId does.
func (s *simple) abandon(c *client) {
	for _, t := range c.left {
		s.decide(t, Aborted)
	}
	c.left = nil
}

// decide ends a transaction, if it is open, in all keys at once.
func (s *simple) decide(t int, how Outcome) {
	for key, log := range s.logs {
		open := false
		for i := s.settled[key]; i < len(log); i++ {
			if log[i].txn == t && log[i].state == Unknown {
				log[i].state, open = how, true
			}
		}
		if open {
			s.logs[key] = append(log, entry{txn: NoTxn, state: Committed})
		}
	}
	if x := &s.h.Txns[t]; how == Committed {
		maps.Copy(s.groups, x.Offsets)
	}
}

func (s *simple) fence(c *client) {
	i := len(s.h.Inits)
	s.h.Inits = append(s.h.Inits, Init{Span{s.now, Never}, c.name, "id " + c.name, int64(i)})
	c.phases = []func(){
		func() { s.abandon(c) },
		func() { s.h.Inits[i].End = s.now; c.init = i },
	}
}

func (s *simple) send(c *client) {
	i := len(s.h.Sends)
	send := Send{Span: Span{s.now, Never}, Client: c.name, Txn: c.txn}
	key := s.key()
	for range s.rng.IntN(3) + 1 {
		s.value++
		send.Records = append(send.Records, Record{key, -1, fmt.Sprint(s.value)})
	}
	s.h.Sends = append(s.h.Sends, send)
	c.wrote = true
	lost := s.rng.IntN(30) == 0
	c.phases = []func(){
		func() {
			for j := range send.Records {
				send.Records[j].Offset = int64(len(s.logs[key]))
				if lost {
					send.Records[j].Offset = -1
				}
				s.logs[key] = append(s.logs[key], entry{value: send.Records[j].Value, txn: send.Txn})
			}
		},
		func() {
			if !lost {
				s.h.Sends[i].End = s.now
			} else {
				c.txn, c.init = NoTxn, -1
			}
		},
	}
}

// poll reads a few records of a key.
func (s *simple) poll(c *client, key string) {
	i := len(s.h.Polls)
	s.h.Polls = append(s.h.Polls, Poll{Span: Span{s.now, Never}, Client: c.name, Txn: c.txn})
	p := c.txn
	c.phases = []func(){
		func() {
			stable := s.stable(key)
			for n := s.rng.IntN(5) + 1; n > 0 && c.at[key] < stable; c.at[key]++ {
				if e := s.logs[key][c.at[key]]; e.value != "" && e.state == Committed {
					s.h.Polls[i].Records = append(s.h.Polls[i].Records, Record{key, c.at[key], e.value})
					n--
				}
			}
			if p != NoTxn && c.key != "" {
				s.h.Txns[p].Offsets[key] = c.at[key]
			}
		},
		func() { s.h.Polls[i].End = s.now },
	}
}

// ask asks for all last stable offsets.
func (s *simple) ask(c *client) {
	i := len(s.h.Stables)
	s.h.Stables = append(s.h.Stables, Stable{Span: Span{s.now, Never}, Client: c.name, Ends: map[string]int64{}})
	c.phases = []func(){
		func() {
			for key := range s.logs {
				s.h.Stables[i].Ends[key] = s.stable(key)
			}
		},
		func() { s.h.Stables[i].End = s.now },
	}
}

// end ends the client's transaction; the answer may be lost.
func (s *simple) end(c *client, commit bool) {
	t, lost := c.txn, s.rng.IntN(15) == 0
	how := Aborted
	if commit {
		how = Committed
	}
	s.h.Txns[t].End.Start = s.now
	c.txn = NoTxn
	c.phases = []func(){
		func() { s.decide(t, how) },
		func() {
			if lost {
				c.init = -1
				return
			}
			s.h.Txns[t].Outcome, s.h.Txns[t].End.End = how, s.now
		},
	}
}
