package group

import (
	"cmp"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TxnCommit stores offsets in a transaction (KIP-98, KIP-447): they count when it is
// committed. Answer: CommitAnswer, when they are durable. The Write has a Producer: the
// caller appends it as a batch of that producer's transaction, which it has seen to be
// open.
type TxnCommit struct {
	Token      Token
	Group      string
	MemberID   string
	InstanceID *string
	Generation int32 // -1: the producer does not know of members
	Producer   Producer
	Offsets    []CommitOffset
}

// Producer is a transactional producer.
type Producer struct {
	ID    int64
	Epoch int16
}

// TxnEnd reports the end of a producer's transaction: its marker is in the log, at the
// place where the Step happens. Effects.Placed is the ID to be reported with Durable.
type TxnEnd struct {
	ProducerID int64
	Commit     bool
}

func (TxnCommit) event() {}
func (TxnEnd) event()    {}

// offsetKey names an offset.
type offsetKey struct {
	group, topic string
	partition    int32
}

func byKey(a, b offsetKey) int {
	return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// pendingOffsets are those of transactions that have not ended.
type pendingOffsets struct {
	byProducer map[int64]map[offsetKey]pendingOffset
	count      map[offsetKey]int // of producers that have one
	last       uint64            // place of the newest
}

// pendingOffset is an offset with its place among all: of two for one partition the one
// that stands later in the log counts, whichever transaction ends first.
type pendingOffset struct {
	offset
	place uint64
}

func (p *pendingOffsets) put(producer int64, k offsetKey, o offset) {
	if p.byProducer == nil {
		p.byProducer, p.count = map[int64]map[offsetKey]pendingOffset{}, map[offsetKey]int{}
	}
	m := p.byProducer[producer]
	if m == nil {
		m = map[offsetKey]pendingOffset{}
		p.byProducer[producer] = m
	}
	if _, ok := m[k]; !ok {
		p.count[k]++
	}
	p.last++
	m[k] = pendingOffset{o, p.last}
}

// end forgets a producer's and returns them.
func (p *pendingOffsets) end(producer int64) map[offsetKey]pendingOffset {
	m := p.byProducer[producer]
	delete(p.byProducer, producer)
	for k := range m {
		p.less(k)
	}
	return m
}

func (p *pendingOffsets) less(k offsetKey) {
	if p.count[k]--; p.count[k] <= 0 {
		delete(p.count, k)
	}
}

// overtaken forgets an offset in all transactions: what was stored, or removed, now
// stands.
func (p *pendingOffsets) overtaken(k offsetKey) { p.overtakenAt(k, p.last+1) }

// overtakenAt is overtaken by what has a place among those that are pending: later ones
// stay.
func (p *pendingOffsets) overtakenAt(k offsetKey, place uint64) {
	if p.count[k] == 0 {
		return
	}
	for id, m := range p.byProducer {
		if o, ok := m[k]; ok && o.place < place {
			delete(m, k)
			p.less(k)
			if len(m) == 0 {
				delete(p.byProducer, id)
			}
		}
	}
}

// drop forgets those that are gone, and says how many of each group.
func (p *pendingOffsets) drop(gone func(offsetKey, offset) bool) map[string]int {
	n := map[string]int{}
	for id, m := range p.byProducer {
		for k, o := range m {
			if gone(k, o.offset) {
				delete(m, k)
				p.less(k)
				n[k.group]++
			}
		}
		if len(m) == 0 {
			delete(p.byProducer, id)
		}
	}
	return n
}

// of returns the keys of a group, sorted.
func (p *pendingOffsets) of(group string) (ks []offsetKey) {
	for k := range p.count {
		if k.group == group {
			ks = append(ks, k)
		}
	}
	slices.SortFunc(ks, byKey)
	return ks
}

// txnCommit takes offsets of a transaction.
func (c *Coordinator) txnCommit(e TxnCommit) {
	codes := make([]int16, len(e.Offsets))
	fail := func(code int16) { c.replyCodes(e.Token, codes, code) }
	g := c.groups[e.Group]
	if g == nil {
		if e.Generation >= 0 {
			fail(kerr.IllegalGeneration.Code)
			return
		}
		g = c.create(e.Group)
	}
	c.touch(g)
	if err := c.checkTxnCommit(g, e, codes); err != nil {
		fail(codeOf(err))
		return
	}
	if c.store(e.Token, g, e.Offsets, codes, -1, func(k offsetKey, o offset) { c.pending.put(e.Producer.ID, k, o) }) {
		c.out.Writes[len(c.out.Writes)-1].Producer = &e.Producer
	}
}

// checkTxnCommit says whether the producer's consumer may commit (KIP-447): a producer
// that says nothing of a member is believed, as those from before that do.
func (c *Coordinator) checkTxnCommit(g *group, e TxnCommit, codes []int16) error {
	if e.Generation < 0 && e.MemberID == "" && e.InstanceID == nil {
		return nil
	}
	if g.modern != nil {
		refused, err := g.modern.checkCommit(Commit{
			Group: e.Group, MemberID: e.MemberID, InstanceID: e.InstanceID, Generation: e.Generation, Version: 10, Offsets: e.Offsets,
		})
		if err == kerr.StaleMemberEpoch {
			err = kerr.IllegalGeneration
		}
		for i, code := range refused {
			if code == kerr.StaleMemberEpoch.Code {
				code = kerr.IllegalGeneration.Code
			}
			codes[i] = code
		}
		return err
	}
	if e.Generation < 0 && g.state == Empty {
		return nil
	}
	if err := g.check(e.MemberID, e.InstanceID); err != nil {
		return err
	}
	if e.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	return nil
}

// txnEnd applies or drops what a transaction has brought.
func (c *Coordinator) txnEnd(e TxnEnd) {
	c.out.Placed = c.writes.Add(change{}, nil)
	for _, g := range c.applyTxn(e.ProducerID, e.Commit) {
		g.lastWrite = c.out.Placed
		c.touch(g)
	}
}

// applyTxn ends a transaction in memory and returns the groups that it has touched.
func (c *Coordinator) applyTxn(producer int64, commit bool) (touched []*group) {
	m := c.pending.end(producer)
	for _, k := range slices.SortedFunc(maps.Keys(m), byKey) {
		g := c.groups[k.group]
		if g == nil {
			if !commit {
				continue
			}
			g = newGroup(k.group, c.now)
			g.persisted = true
			c.groups[g.id] = g
		}
		if commit {
			g.setOffset(k.topic, k.partition, m[k].offset)
			c.pending.overtakenAt(k, m[k].place)
		}
		if n := len(touched); n == 0 || touched[n-1] != g {
			touched = append(touched, g)
		}
	}
	return touched
}

// ReplayTxn is Replay for a record of a producer's transaction; ReplayEnd takes in its
// end.
func (c *Coordinator) ReplayTxn(producer int64, r Record, n *Replayed) error {
	e, ok, err := decode(r)
	switch {
	case err != nil:
		return err
	case !ok || e.offsetKey == nil || e.offsetValue == nil:
		n.Skipped++
		return nil
	}
	n.Offsets++
	if c.groups[e.offsetKey.Group] == nil {
		g := newGroup(e.offsetKey.Group, c.now)
		g.persisted = true
		c.groups[g.id] = g
	}
	c.pending.put(producer, offsetKey{e.offsetKey.Group, e.offsetKey.Topic, e.offsetKey.Partition}, offsetOf(e.offsetValue))
	return nil
}

// ReplayEnd takes in the end of a producer's transaction; see ReplayTxn.
func (c *Coordinator) ReplayEnd(producer int64, commit bool) { c.applyTxn(producer, commit) }
