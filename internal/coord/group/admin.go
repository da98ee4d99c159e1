package group

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describe shows one classic group. One that is not there, or is of another type, is Dead; from v6 on that is
// an error, too (KIP-1043).
func (c *Coordinator) describe(e Describe) {
	res := kmsg.NewDescribeGroupsResponseGroup()
	res.Group = e.Group
	g := c.groups[e.Group]
	switch {
	case g == nil || g.modern != nil:
		res.State = Dead.String()
		if e.Version >= 6 {
			res.ErrorCode = kerr.GroupIDNotFound.Code
			res.ErrorMessage = kmsg.StringPtr("Group " + e.Group + " not found.")
			if g != nil {
				res.ErrorMessage = kmsg.StringPtr("Group " + e.Group + " is not a classic group.")
			}
		}
	default:
		res.State = g.state.String()
		res.ProtocolType = g.protocolType
		if g.state == Stable {
			res.Protocol = g.protocol
		}
		for _, m := range g.members {
			dm := kmsg.NewDescribeGroupsResponseGroupMember()
			dm.MemberID, dm.InstanceID = m.id, m.instance
			dm.ClientID, dm.ClientHost = m.clientID, m.clientHost
			dm.MemberAssignment = m.assignment
			// While the group rebalances there is no protocol that it could be of.
			if g.state == Stable {
				dm.ProtocolMetadata = m.metadata(g.protocol)
			}
			res.Members = append(res.Members, dm)
		}
	}
	c.whenShown(g, c.replying(e.Token, res, func(err error) any {
		lost := kmsg.NewDescribeGroupsResponseGroup()
		lost.Group, lost.ErrorCode = e.Group, codeOf(err)
		return lost
	}))
}

// list names the groups.
func (c *Coordinator) list(e List) {
	res := []kmsg.ListGroupsResponseGroup{}
	in := func(filter []string, s string) bool {
		return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(strings.TrimSpace(f), s) })
	}
	for _, g := range c.sortedGroups() {
		if !in(e.Types, g.typeName()) || !in(e.States, g.stateName()) {
			continue
		}
		lg := kmsg.NewListGroupsResponseGroup()
		lg.Group = g.id
		lg.ProtocolType = g.protocolType
		if g.modern != nil {
			lg.ProtocolType = g.modern.groupType()
		}
		lg.GroupState = g.stateName()
		lg.GroupType = g.typeName()
		res = append(res, lg)
	}
	// What is shown cannot be told from what was lost; an empty list would be a lie.
	c.whenShown(nil, c.replying(e.Token, res, func(err error) any { return ListFailed(codeOf(err)) }))
}

// ListFailed answers a List with an error code instead of groups.
type ListFailed int16

// deleteGroup removes an empty group.
func (c *Coordinator) deleteGroup(e DeleteGroup) {
	g := c.groups[e.Group]
	switch {
	case g == nil:
		c.whenShown(nil, func(err error) {
			code := kerr.GroupIDNotFound.Code
			if err != nil {
				code = codeOf(err)
			}
			c.reply(e.Token, code)
		})
	case !g.vacant():
		c.reply(e.Token, kerr.NonEmptyGroup.Code)
	default:
		c.bury(g, func(err error) { c.reply(e.Token, codeOf(err)) })
	}
}

// bury deletes a group with all it has.
func (c *Coordinator) bury(g *group, done func(error)) {
	var records []Record
	g.sortedOffsets(func(topic string, p int32, _ offset) {
		records = append(records, offsetRecord(g.id, topic, p, nil))
	})
	pending := c.pending.of(g.id)
	for _, k := range pending {
		if _, ok := g.offsets[k.topic][k.partition]; !ok {
			records = append(records, offsetRecord(g.id, k.topic, k.partition, nil))
		}
	}
	records = append(records, g.tombstones()...)
	places := ""
	if g.shares() != nil {
		places = g.id
	}
	c.write(g, records, func() {
		for _, k := range pending {
			c.pending.overtaken(k)
		}
		delete(c.groups, g.id)
		c.touch(g)
	}, done)
	c.out.Writes[len(c.out.Writes)-1].Places = places
}

// HasShare says whether there is a share group of that name.
func (c *Coordinator) HasShare(id string) bool {
	g := c.groups[id]
	return g != nil && g.shares() != nil
}
