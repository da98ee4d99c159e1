//go:build sim

package sim

import (
	"fmt"
	"slices"

	"github.com/leatdev/leat/internal/kafka"
)

// memory is what the clients know over all lives: what they asked for, what they
// were told and what they saw.
type memory struct {
	topics  []*topic
	records int // ids given out
	byID    map[string]*record
	pids    map[int64]bool
	epoch   int32 // of the newest life
	groups  []*committed
	shares  []*shared
	// shareMade: the share group exists.
	shareMade bool
	team      []*mate
	// ruined: an error of the disk has fenced the catalogue, or the groups' offsets.
	ruined, groupsRuined bool
	producers            []*producer
}

// level is what a client may rely on.
type level int

const (
	unknown level = iota // sent, and maybe lost
	written              // answered with acks=1: survives the end of the process
	durable              // answered with acks=all, or seen: survives everything
	lost                 // not there when it should have been seen: must stay away
)

// record is one record that a producer sent, once or again.
type record struct {
	id     string
	part   *partition
	key    string // "" none
	value  []byte // nil a tombstone
	time   int64
	batch  *batch
	offset int64 // -1 not known
	level  level
}

// batch is a batch that was sent.
type batch struct {
	records []*record
	raw     []byte
	seq     int32
	base    int64 // as answered; -1
	life    int   // in which it was sent the last time
	given   int64 // the offset that it was given then
	acks    int
}

// state of a topic, as far as its clients know.
type state int

const (
	creating state = iota // asked for
	live
	deleting // asked for
	deleted
)

func (s state) String() string { return [...]string{"creating", "live", "deleting", "deleted"}[s] }

// topic is one incarnation of a topic name.
type topic struct {
	name    string
	id      kafka.UUID // zero while it is not known
	state   state
	kind    kind
	parts   []*partition
	asked   int // partitions asked for, maybe not there yet
	configs map[string]string
}

// kind is what a topic is for; it decides what its log may forget.
type kind int

const (
	plain     kind = iota // forgets what DeleteRecords names
	retaining             // and what retention takes
	compacted
	appendTime // plain, under LogAppendTime
	kinds
)

// partition is one partition of a topic.
type partition struct {
	topic *topic
	index int32
	at    map[int64]*record // by the offset that was told or seen
	sent  []*record         // not told nor seen, nor known to be lost
	keys  map[string][]*record
	end   int64  // the largest high watermark seen
	start int64  // the largest log start told or seen
	asked int64  // the largest offset that DeleteRecords was asked for
	found *found // while a check reads it
	// damaged: an error of the disk has fenced it; nobody knows more about it.
	damaged bool
}

func (p *partition) String() string { return fmt.Sprintf("%s-%d", p.topic.name, p.index) }

func (m *memory) addTopic(name string, k kind, partitions int, configs map[string]string) *topic {
	t := &topic{name: name, kind: k, asked: partitions, configs: configs}
	t.grow(partitions)
	m.topics = append(m.topics, t)
	return t
}

func (t *topic) grow(partitions int) {
	for len(t.parts) < partitions {
		t.parts = append(t.parts, &partition{topic: t, index: int32(len(t.parts)), at: map[int64]*record{}, keys: map[string][]*record{}})
	}
}

// topic returns the newest incarnation of a name; nil when there was none.
func (m *memory) topic(name string) *topic {
	for _, t := range slices.Backward(m.topics) {
		if t.name == name {
			return t
		}
	}
	return nil
}

// usable are the partitions of the topics that clients believe in, in a fixed order.
func (m *memory) usable() []*partition {
	var out []*partition
	for _, t := range m.topics {
		for _, p := range t.parts {
			if t.state == live && !p.damaged {
				out = append(out, p)
			}
		}
	}
	return out
}

// newRecord makes a record that nobody has sent.
func (m *memory) newRecord(p *partition, key string, value []byte, now int64) *record {
	m.records++
	r := &record{id: fmt.Sprintf("r%d", m.records), part: p, key: key, value: value, time: now, offset: -1}
	m.byID[r.id] = r
	if key != "" {
		p.keys[key] = append(p.keys[key], r)
	}
	return r
}

// send notes that the record is on its way.
func (p *partition) send(r *record) {
	if r.offset < 0 && !slices.Contains(p.sent, r) {
		p.sent = append(p.sent, r)
	}
}

// settle notes where the record is, and how surely.
func (p *partition) settle(r *record, offset int64, l level) error {
	if r.level == lost {
		return fmt.Errorf("%s: %s came back at offset %d: it was not there when everything had been read after a restart", p, r.id, offset)
	}
	if r.offset >= 0 && r.offset != offset {
		return fmt.Errorf("%s: %s is at offset %d and was at %d: moved or there twice", p, r.id, offset, r.offset)
	}
	if o := p.at[offset]; o != nil && o.level == unknown && o != r {
		o.offset, o.level = -1, lost // it was only written, and the power went
	} else if o != nil && o != r {
		return fmt.Errorf("%s: offset %d holds %s, and held %s (%s)", p, offset, r.id, o.id, o.level)
	}
	p.at[offset], r.offset = r, offset
	r.level = max(r.level, l)
	if i := slices.Index(p.sent, r); i >= 0 {
		p.sent = slices.Delete(p.sent, i, i+1)
	}
	return nil
}

func (l level) String() string {
	return [...]string{"sent", "acknowledged with acks=1", "acknowledged or seen", "lost"}[l]
}

// committed is a group's offset of one partition.
type committed struct {
	group string
	part  *partition
	known int64   // told or seen; -1 none
	doubt []int64 // asked for since, in this order; any may be there, and all before it
	next  int64
}
