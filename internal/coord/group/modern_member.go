package group

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Epochs of requests that are no member's epoch.
const (
	joinEpoch        = 0  // joins, or joins again
	leaveEpoch       = -1 // leaves
	leaveStaticEpoch = -2 // a static member leaves and means to come back
)

// modernMember is what members of the newer types have in common. It does not change: a
// changed member is another one.
type modernMember struct {
	id, clientID, clientHost string
	rack                     *string
	topics                   []string // that it names, sorted, none twice
	// epoch is the one that it is to send, previous the one before: the answer with the
	// new one may have been lost.
	epoch, previous int32
}

// says is the member with what a request says of it; what is nil stays.
func (m modernMember) says(client Client, rack *string, topics []string) modernMember {
	m.clientID, m.clientHost = client.ID, client.Host
	if rack != nil {
		m.rack = clonePtr(rack)
	}
	if topics != nil {
		m.topics = sortedSet(cloneStrings(topics))
	}
	return m
}

// sameMetadata says whether all that a member says of itself is equal.
func (m *modernMember) sameMetadata(o *modernMember) bool {
	return m.clientID == o.clientID && m.clientHost == o.clientHost && equalPtr(m.rack, o.rack) && slices.Equal(m.topics, o.topics)
}

// abandon is how members that are fenced are told what to do.
const abandon = "The member must abandon all its partitions and rejoin."

// checkEpoch says whether a member of a group of the type may go on from an epoch. The
// one before will do if behind.
func (m *modernMember) checkEpoch(typ string, epoch int32, behind bool) error {
	switch {
	case epoch > m.epoch:
		return faultf(kerr.FencedMemberEpoch, "The %s group member has a greater member epoch (%d) than the one known by the group coordinator (%d). "+abandon, typ, epoch, m.epoch)
	case epoch < m.epoch && (epoch != m.previous || !behind):
		return faultf(kerr.FencedMemberEpoch, "The %s group member has a smaller member epoch (%d) than the one known by the group coordinator (%d). "+abandon, typ, epoch, m.epoch)
	}
	return nil
}

// unknownMember is the fault of who is no member of the group.
func unknownMember(id, group string) error {
	return faultf(kerr.UnknownMemberID, "Member %s is not a member of group %s.", id, group)
}

// append and read are for the record of what the member says.
func (m *modernMember) append(b []byte) []byte {
	b = kbin.AppendCompactNullableString(b, m.rack)
	b = kbin.AppendCompactString(b, m.clientID)
	b = kbin.AppendCompactString(b, m.clientHost)
	return appendStrings(b, m.topics)
}

func (m *modernMember) read(f *fields) {
	m.rack = f.CompactNullableString()
	m.clientID, m.clientHost = f.CompactString(), f.CompactString()
	m.topics = sortedSet(f.strings())
}

func clonePtr(s *string) *string {
	c := strings.Clone(*s)
	return &c
}

func cloneStrings(ss []string) []string {
	out := make([]string, len(ss))
	for i, s := range ss {
		out[i] = strings.Clone(s)
	}
	return out
}

func equalPtr[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
