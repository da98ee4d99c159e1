package group

import (
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// shareGroup is what makes a group a share group (KIP-932): its members read the same
// partitions side by side, so nobody waits for anybody. A change of the members or of
// what they read gives the group a new epoch and all members their assignment at once;
// they hear of it with their next heartbeat.
type shareGroup struct {
	g *group
	shareState
	sessions map[string]time.Time // when a member is taken for dead
}

// shareState is what the log has of a share group. A member is never changed once it
// is in members, so that a copy of the maps is a copy of the state.
type shareState struct {
	epoch   int32
	hash    int64 // of the topics that are read
	members map[string]*modernMember
	target  map[string][]partition // sorted, as of epoch
	// stale: topics have changed and the log refused to take what follows from it.
	stale bool
}

func newShareGroup(g *group) *shareGroup {
	return &shareGroup{g: g, shareState: shareState{members: map[string]*modernMember{}, target: map[string][]partition{}}, sessions: map[string]time.Time{}}
}

// shares is the group as a share group, nil when it is of another type.
func (g *group) shares() *shareGroup {
	sg, _ := g.modern.(*shareGroup)
	return sg
}

func (s *shareState) copy() shareState {
	c := *s
	c.members, c.target = maps.Clone(s.members), maps.Clone(s.target)
	return c
}

func (sg *shareGroup) groupType() string { return shareType }
func (sg *shareGroup) empty() bool       { return len(sg.members) == 0 }

// expires is false: a share group without members still has its place in the
// partitions, which is not among the offsets.
func (sg *shareGroup) expires() bool { return false }

func (sg *shareGroup) stateName() string {
	if len(sg.members) == 0 {
		return "Empty"
	}
	return "Stable"
}

func (sg *shareGroup) reads(topic string) bool {
	for _, m := range sg.members {
		if _, ok := slices.BinarySearch(m.topics, topic); ok {
			return true
		}
	}
	return false
}

// checkCommit refuses: a share group has no offsets to commit.
func (sg *shareGroup) checkCommit(Commit) ([]int16, error) { return nil, kerr.GroupIDNotFound }

func (sg *shareGroup) checkFetch(FetchOffsets) error { return kerr.GroupIDNotFound }

func (sg *shareGroup) nextDeadline() time.Time {
	var at time.Time
	for _, s := range sg.sessions {
		at = sooner(at, s)
	}
	return at
}

// topicsHash is over the topics that the members read, as they are now.
func (sg *shareGroup) topicsHash(topics Topics) int64 {
	h := fnv.New64a()
	for _, name := range sg.topicNames() {
		id, partitions, ok := topics.Topic(name)
		if !ok {
			continue
		}
		h.Write([]byte(name))
		h.Write(id[:])
		h.Write([]byte{byte(partitions >> 24), byte(partitions >> 16), byte(partitions >> 8), byte(partitions)})
	}
	return int64(h.Sum64())
}

// topicNames are the topics that any member reads, sorted.
func (sg *shareGroup) topicNames() []string {
	names := map[string]bool{}
	for _, m := range sg.members {
		for _, t := range m.topics {
			names[t] = true
		}
	}
	return sortedNames(names)
}

// assign is the assignor "simple": each partition has a member, and each member has a
// partition as long as its topics have any. With fewer members than partitions nobody
// shares; else the members are spread over them.
func (sg *shareGroup) assign(topics Topics) map[string][]partition {
	target := map[string][]partition{}
	dealt := 0
	for _, name := range sg.topicNames() {
		id, partitions, ok := topics.Topic(name)
		if !ok || partitions == 0 {
			continue
		}
		var readers []string
		for _, m := range sortedNames(sg.members) {
			if _, ok := slices.BinarySearch(sg.members[m].topics, name); ok {
				readers = append(readers, m)
			}
		}
		for i := range max(len(readers), int(partitions)) {
			m := readers[(dealt+i)%len(readers)]
			target[m] = append(target[m], partition{id, int32(i % int(partitions))})
		}
		dealt += int(partitions)
	}
	for m := range target {
		slices.SortFunc(target[m], comparePartitions)
	}
	return target
}

// shareChange is a modernChange of a share group: a copy of its state stands for the
// inverse of each change.
type shareChange struct {
	modernChange
	sg *shareGroup
}

func (c *Coordinator) changeShares(sg *shareGroup) *shareChange {
	ch := &shareChange{modernChange{c: c, g: sg.g}, sg}
	before := sg.copy()
	ch.undo = append(ch.undo, func() { sg.shareState = before })
	c.touch(sg.g)
	return ch
}

// put puts a member in, or changes what it says of itself.
func (ch *shareChange) put(m *modernMember) {
	ch.sg.members[m.id] = m
	ch.records = append(ch.records, shareMemberRecord(ch.sg.g.id, m))
}

// told says which epoch a member is told.
func (ch *shareChange) told(m *modernMember) {
	ch.sg.members[m.id] = m
	ch.records = append(ch.records, shareCurrentRecord(ch.sg.g.id, m, ch.sg.target[m.id]))
}

// remove takes members out.
func (ch *shareChange) remove(ids []string) {
	id := ch.sg.g.id
	for _, m := range ids {
		delete(ch.sg.members, m)
		delete(ch.sg.target, m)
		ch.records = append(ch.records, shareMemberGone(id, m)...)
	}
}

// advance gives the group its next epoch and all members their assignment.
func (ch *shareChange) advance() {
	sg, id := ch.sg, ch.sg.g.id
	sg.epoch++
	sg.hash, sg.stale = sg.topicsHash(ch.c.topics), false
	ch.records = append(ch.records, shareGroupRecord(id, sg.epoch, sg.hash))
	target := sg.assign(ch.c.topics)
	for _, m := range sortedNames(sg.members) {
		if !slices.Equal(target[m], sg.target[m]) {
			ch.records = append(ch.records, targetOneRecord(keyShareTargetOne, id, m, target[m]))
		}
	}
	sg.target = target
	ch.records = append(ch.records, epochRecord(keyShareTarget, id, sg.epoch, ch.c.now.UnixMilli()))
}

// expire removes who was not heard of in time.
func (sg *shareGroup) expire(c *Coordinator) {
	var gone []string
	for _, id := range sortedNames(sg.sessions) {
		if at := sg.sessions[id]; !c.now.Before(at) {
			c.note(sg.g, "member %s was not heard of in time and is removed", id)
			gone = append(gone, id)
		}
	}
	if len(gone) > 0 {
		sg.fence(c, gone).end(nil)
	}
}

// fence removes members; what they had, others have.
func (sg *shareGroup) fence(c *Coordinator, ids []string) *shareChange {
	ch := c.changeShares(sg)
	ch.remove(ids)
	for _, id := range ids {
		delete(sg.sessions, id)
	}
	ch.undo = append(ch.undo, func() {
		for _, id := range ids { // not at once again, or a full disk would keep the machine busy
			sg.sessions[id] = c.now.Add(time.Second)
		}
	})
	ch.advance()
	return ch
}

// topicsChanged gives the members what there is of their topics now.
func (sg *shareGroup) topicsChanged(c *Coordinator, names []string) {
	if sg.empty() || !sg.stale && !slices.ContainsFunc(names, sg.reads) {
		return
	}
	sg.catchUp(c)
}

// catchUp computes the assignment anew where topics are not what they were.
func (sg *shareGroup) catchUp(c *Coordinator) {
	if sg.hash == sg.topicsHash(c.topics) && !sg.stale {
		return
	}
	sg.stale = true // that is what it stays if the log refuses
	ch := c.changeShares(sg)
	ch.advance()
	ch.end(nil)
}

// loaded begins the service: the members go on with their epochs, and are expected to
// be heard of.
func (sg *shareGroup) loaded(c *Coordinator) {
	session := c.shareSettings(sg.g.id).Session
	for id := range sg.members {
		sg.sessions[id] = c.now.Add(session)
	}
	if !sg.empty() {
		sg.catchUp(c)
	}
}

func (c *Coordinator) shareSettings(group string) ShareSettings {
	if c.cfg.Share == nil {
		return ShareSettings{Session: 45 * time.Second, Heartbeat: 5 * time.Second}
	}
	return c.cfg.Share(group)
}
