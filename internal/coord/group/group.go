package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// State is a group's state, in Kafka's words.
type State int8

// The states; see the package comment.
const (
	Empty State = iota
	PreparingRebalance
	CompletingRebalance
	Stable
	Dead
)

func (s State) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}[s]
}

// group is one group, of any type.
type group struct {
	id string
	// modern is set when the group is not a classic one. classicGroup is as new then.
	modern modern
	classicGroup

	offsets map[string]map[int32]offset // by topic and partition

	// lastWrite is the Write that holds the newest state of the group.
	lastWrite uint64
	// asked counts the Writes that the caller has not reported as appended yet.
	asked int
	// persisted: the log has something of the group, so it has to be deleted to
	// be gone.
	persisted bool

	wakeAt  time.Time // in alarms
	alarm   int       // index in alarms, -1 when not in it
	touched bool
}

// classicGroup is the state of a classic group.
type classicGroup struct {
	state State
	// stateSince is when it entered the state: offsets of an empty group expire
	// by it. Zero when not known (records of old brokers).
	stateSince time.Time

	generation   int32
	protocolType string // "" for a group that only stores offsets
	protocol     string // chosen for the generation, "" when there are no members
	leader       string // member id, "" when there are no members

	members []*member          // in the order they came: the first is the next leader
	byID    map[string]*member // the same
	statics map[string]*member // by instance id: those of members that have one
	// knownTo counts the members that know a protocol.
	knownTo map[string]int
	// pending are member ids that were given out with MEMBER_ID_REQUIRED and not
	// used yet, with the time when they are forgotten.
	pending map[string]time.Time
	// unsynced are the members that have not sent a SyncGroup for the generation.
	unsynced map[string]bool
	// assigning: the generation's assignment is on its way to the disk. It stands,
	// whatever else its leader says: the log must not end with another one than the
	// members are told.
	assigning bool

	// initial says that the rebalance that runs started from Empty: only its
	// timer ends it, so that it gathers members.
	initial          bool
	initialGrew      bool          // a member came since the timer was set
	initialRemaining time.Duration // by how much the gathering may still be extended
	initialDelay     time.Duration // what the timer was set to
	joinAt           time.Time     // ends the gathering of members; zero: not running
	syncAt           time.Time     // removes members that did not sync; zero: not running

	// subscribed are the topics that the generation's members read; nil when
	// they cannot be known.
	subscribed map[string]bool
}

func newGroup(id string, now time.Time) *group {
	return &group{id: id, classicGroup: newClassicGroup(now), offsets: make(map[string]map[int32]offset), alarm: -1}
}

func newClassicGroup(now time.Time) classicGroup {
	return classicGroup{
		stateSince: now,
		byID:       make(map[string]*member),
		statics:    make(map[string]*member),
		knownTo:    make(map[string]int),
		pending:    make(map[string]time.Time),
		unsynced:   make(map[string]bool),
	}
}

// unused says that nothing would be lost by forgetting the group.
func (g *group) unused() bool {
	return g.vacant() && !g.persisted && g.asked == 0 && len(g.pending) == 0
}

func (g *group) enter(s State, now time.Time) {
	g.state = s
	g.stateSince = now
}

// nextDeadline is the soonest time at which something is to be done.
func (g *group) nextDeadline() time.Time {
	if g.modern != nil {
		return g.modern.nextDeadline()
	}
	at := sooner(g.joinAt, g.syncAt)
	for _, m := range g.members {
		at = sooner(at, m.deadline)
	}
	for _, t := range g.pending {
		at = sooner(at, t)
	}
	return at
}

func (g *group) add(m *member) {
	if len(g.members) == 0 {
		g.protocolType = m.protocolType
	}
	g.members = append(g.members, m)
	g.byID[m.id] = m
	g.count(m, 1)
	if m.instance != nil {
		g.statics[*m.instance] = m
	}
	if g.leader == "" {
		g.leader = m.id
	}
	delete(g.pending, m.id)
}

// remove takes members out. Their waiting requests are the caller's to answer
// before that.
func (g *group) remove(ms []*member) {
	for _, m := range ms {
		g.count(m, -1)
		delete(g.unsynced, m.id)
		delete(g.byID, m.id)
		if m.instance != nil {
			delete(g.statics, *m.instance)
		}
	}
	g.members = slices.DeleteFunc(g.members, func(m *member) bool { return g.byID[m.id] == nil })
	if g.byID[g.leader] == nil {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
}

// check says whether a request may speak for a member: nil, or the error. A
// static member whose instance id has a newer member is fenced.
func (g *group) check(id string, instance *string) *kerr.Error {
	if instance != nil {
		switch m := g.statics[*instance]; {
		case m == nil:
			return kerr.UnknownMemberID
		case m.id != id:
			return kerr.FencedInstanceID
		}
	}
	if g.byID[id] == nil {
		return kerr.UnknownMemberID
	}
	return nil
}

// rebalanceTimeout is the longest of the members', and long enough that a
// group that waits for nothing else does not keep the machine busy.
func (g *group) rebalanceTimeout() time.Duration {
	d := 100 * time.Millisecond
	for _, m := range g.members {
		d = max(d, m.rebalance)
	}
	return d
}

func (g *group) awaitingJoin() int {
	n := 0
	for _, m := range g.members {
		if m.joining != nil {
			n++
		}
	}
	return n
}

// allJoined says that nobody is waited for.
func (g *group) allJoined() bool {
	return g.awaitingJoin() == len(g.members) && len(g.pending) == 0
}

// supports says whether a member with these protocols fits into the group.
func (g *group) supports(protocolType string, protocols []protocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(protocols) > 0
	}
	if g.protocolType != protocolType {
		return false
	}
	return slices.ContainsFunc(protocols, func(p protocol) bool { return g.knownTo[p.name] == len(g.members) })
}

// count adds n for each protocol that a member knows.
func (g *group) count(m *member, n int) {
	for _, p := range m.protocols {
		if g.knownTo[p.name] += n; g.knownTo[p.name] == 0 {
			delete(g.knownTo, p.name)
		}
	}
}

// selectProtocol lets every member vote for the first of its protocols that all
// of them know. Most votes win; among equals, the choice of the older member.
func (g *group) selectProtocol() string {
	votes := make(map[string]int)
	for _, m := range g.members {
		for _, p := range m.protocols {
			if g.knownTo[p.name] == len(g.members) {
				votes[p.name]++
				break
			}
		}
	}
	best := ""
	for _, m := range g.members {
		for _, p := range m.protocols {
			if votes[p.name] > votes[best] {
				best = p.name
			}
		}
	}
	return best
}

// electJoined makes sure that the leader is one that joined; false when nobody
// has.
func (g *group) electJoined() bool {
	if m := g.byID[g.leader]; m != nil && m.joining != nil {
		return true
	}
	for _, m := range g.members {
		if m.joining != nil {
			g.leader = m.id
			return true
		}
	}
	return false
}

// nextGeneration begins the generation of the members that there are.
func (g *group) nextGeneration(now time.Time) {
	g.generation++
	clear(g.unsynced)
	g.assigning = false
	g.syncAt = time.Time{}
	if len(g.members) == 0 {
		g.protocol = ""
		g.enter(Empty, now)
	} else {
		g.protocol = g.selectProtocol()
		g.enter(CompletingRebalance, now)
	}
	g.subscribed = g.subscribedTopics()
}

// subscribedTopics are the topics of all members; nil when they cannot be known.
func (g *group) subscribedTopics() map[string]bool {
	// Of other protocol types the metadata is not for the coordinator.
	if g.protocolType != consumerType {
		return nil
	}
	topics := make(map[string]bool)
	for _, m := range g.members {
		ts, err := subscription(m.metadata(g.protocol))
		if err != nil {
			return nil
		}
		for _, t := range ts {
			topics[t] = true
		}
	}
	return topics
}

// reads says whether a member reads the topic, or might.
func (g *group) reads(topic string) bool {
	if g.modern != nil {
		return g.modern.reads(topic)
	}
	if g.subscribed == nil {
		return g.protocolType == consumerType
	}
	return g.subscribed[topic]
}
