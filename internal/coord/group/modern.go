package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A group is of one type at a time: classic, as it is made, or one of the newer
// ones, whose members and state are then in group.modern, while the classic part of
// it is empty. Offsets are the group's, whatever its type.

// modern is what makes a group one of the newer types: a consumer group (KIP-848) or
// a share group (KIP-932). Its methods are called with the Coordinator's time set
// (c.now), within a Step, Replay or Loaded.
type modern interface {
	// groupType is the type's name where groups are listed: consumer, share.
	groupType() string
	// stateName is the state in Kafka's words: Empty, Stable, ...
	stateName() string
	// empty says that the group has no members.
	empty() bool
	// nextDeadline is when expire is to be called next; zero: never.
	nextDeadline() time.Time
	// expire does what is due by the time.
	expire(c *Coordinator)
	// loaded begins the service after a replay: members are expected to be heard of.
	loaded(c *Coordinator)
	// topicsChanged is told of topics that were made, deleted or have more partitions;
	// c.topics has what is there now. names is sorted.
	topicsChanged(c *Coordinator, names []string)
	// reads says whether a member reads the topic, or might: then its offsets neither
	// expire nor can they be deleted.
	reads(topic string) bool
	// checkCommit says whether a commit may be taken; the codes are those of single
	// offsets that may not, nil for none.
	checkCommit(e Commit) (codes []int16, err error)
	// checkFetch says whether a member may see the group's offsets.
	checkFetch(e FetchOffsets) error
	// expires says that the group may be deleted when it is empty and has no offsets left.
	expires() bool
	// decode reads the value of a record of the group, which names what the name is of;
	// apply does what it says. known is false for a version that is not.
	decode(kind int16, name string, value []byte) (apply func(), known bool, err error)
	// forget does what the tombstone of such a record says, but of the group's own.
	forget(kind int16, name string)
	// tombstones delete all records of the group but its offsets.
	tombstones() []Record
}

// Names of the types of groups, as ListGroups has them.
const (
	classicType  = "classic"
	consumerType = "consumer" // also the protocol type of consumers in classic groups
	shareType    = "share"
)

// typeName is the group's type where groups are listed.
func (g *group) typeName() string {
	if g.modern != nil {
		return g.modern.groupType()
	}
	return classicType
}

// stateName is the group's state in Kafka's words.
func (g *group) stateName() string {
	if g.modern != nil {
		return g.modern.stateName()
	}
	return g.state.String()
}

// vacant says that the group has no members.
func (g *group) vacant() bool {
	if g.modern != nil {
		return g.modern.empty()
	}
	return g.state == Empty
}

// consumer is the group with this id if it is a consumer group, else nil.
func (c *Coordinator) consumer(id string) *group {
	if g := c.groups[id]; g != nil && g.consumer() != nil {
		return g
	}
	return nil
}

// classic is the group with this id if it is a classic one, else nil.
func (c *Coordinator) classic(id string) *group {
	if g := c.groups[id]; g != nil && g.modern == nil {
		return g
	}
	return nil
}

// ofType is the group with this id, which may be there without being of the type; the
// error says so.
func (c *Coordinator) ofType(id, typ string) (*group, error) {
	g := c.groups[id]
	switch {
	case id == "":
		return g, faultf(kerr.InvalidGroupID, "A group's id can't be empty.")
	case g == nil:
		return g, faultf(kerr.GroupIDNotFound, "Group %s not found.", id)
	case g.typeName() != typ:
		return g, faultf(kerr.GroupIDNotFound, "Group %s is not a %s group.", id, typ)
	}
	return g, nil
}
