package group

import (
	"encoding/binary"
	"fmt"
	"time"
)

// kindOf is the kind of record that a key is of; -1 when it says none.
func kindOf(key []byte) int16 {
	if len(key) < 2 {
		return -1
	}
	return int16(binary.BigEndian.Uint16(key))
}

// typeOf is the type of groups that have records of that kind.
func typeOf(kind int16) string {
	switch {
	case kind >= keyConsumerGroup && kind <= keyConsumerCurrent || kind == keyConsumerExpression:
		return consumerType
	case kind >= keyShareMember && kind <= keySharePlaces:
		return shareType
	}
	return classicType
}

// replayModern takes in a record of a group of one of the newer types; false for a
// record that is not known here.
func (c *Coordinator) replayModern(kind int16, r Record) (known bool, err error) {
	named := 1 // what the key names besides the group
	switch kind {
	case keyConsumerGroup, keyConsumerPartitions, keyConsumerTarget, keyShareGroup, keyShareTarget, keySharePlaces:
		named = 0
	}
	names, err := readKey(r.Key, 1+named)
	if err != nil {
		return false, fmt.Errorf("group: key of kind %d: %w", kind, err)
	}
	id, name := names[0], names[named]
	if kind == keySharePlaces {
		return true, nil
	}
	g, typ := c.groups[id], typeOf(kind)
	is := g != nil && g.typeName() == typ
	if r.Value == nil {
		switch {
		case is && (kind == keyConsumerGroup || kind == keyShareGroup):
			g.modern, g.classicGroup = nil, newClassicGroup(time.Time{})
			c.forgetEmpty(g)
		case is:
			g.modern.forget(kind, name)
		}
		return true, nil
	}
	if g == nil {
		g = newGroup(id, time.Time{})
		g.persisted = true
	}
	m := g.modern
	switch {
	case is:
	case typ == shareType:
		m = newShareGroup(g)
	default:
		m = newConsumerGroup(g)
	}
	apply, known, err := m.decode(kind, name, r.Value)
	if err != nil || !known {
		return false, err
	}
	c.groups[id] = g
	if !is {
		g.modern, g.classicGroup = m, newClassicGroup(time.Time{})
	}
	apply()
	return true, nil
}

// forgetEmpty forgets, during a replay, a group that has nothing left but its name.
func (c *Coordinator) forgetEmpty(g *group) {
	if len(g.offsets) == 0 {
		delete(c.groups, g.id)
	}
}
