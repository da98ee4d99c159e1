package group

import (
	"encoding/binary"
	"hash/fnv"
	"regexp"
	"slices"
)

// compile reads an expression in RE2's syntax, as Kafka's brokers do, which has to
// match whole names.
func compile(regex string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(regex); err != nil {
		return nil, err // without what is added here in its text
	}
	return regexp.Compile(`\A(?:` + regex + `)\z`)
}

// subscribe puts m in the place of old (nil: it is new; another id: its place was given
// to m already), and gives the group a new epoch if the assignment must be thought
// over. It says whether what the member reads has changed.
func (ch *consumerChange) subscribe(old, m *consumerMember) bool {
	cg := ch.cg
	before := cg.assignor(ch.c.cfg.ConsumerAssignors)
	if have := cg.members[m.id]; have == nil || !have.sameMetadata(m) {
		ch.metadata(m)
	}
	changed, bump := false, false
	if old == nil {
		old = newConsumerMember(m.id)
	}
	if !slices.Equal(old.topics, m.topics) {
		changed, bump = true, true
	}
	if old.regex != m.regex {
		changed, bump = true, true
		ch.forgetExpression(old.regex)
		if x := cg.expressions[m.regex]; m.regex != "" && !x.resolved {
			ch.expression(m.regex, matches(m.regex, ch.c.topics))
		}
	}
	if cg.assignor(ch.c.cfg.ConsumerAssignors) != before {
		bump = true
	}
	if bump || cg.stale {
		ch.refresh(bump)
	}
	return changed
}

// forgetExpression forgets an expression that no member uses any more.
func (ch *consumerChange) forgetExpression(regex string) {
	if x := ch.cg.expressions[regex]; x != nil && x.members == 0 {
		ch.expression(regex, nil)
	}
}

// refresh gives the group a new epoch if it must have one, or if its topics are not
// what they were.
func (ch *consumerChange) refresh(bump bool) {
	if ch.cg.stale {
		ch.cg.stale = false
		ch.undo = append(ch.undo, func() { ch.cg.stale = true })
		ch.resolve()
	}
	if bump || ch.cg.topicsHash(ch.c.topics) != ch.cg.hash {
		ch.bump()
	}
}

// resolve looks all expressions up anew, and forgets those that nobody uses.
func (ch *consumerChange) resolve() {
	for _, regex := range sortedNames(ch.cg.expressions) {
		x := ch.cg.expressions[regex]
		if x.members == 0 {
			ch.expression(regex, nil)
		} else if now := matches(regex, ch.c.topics); !x.resolved || !slices.Equal(x.topics, now) {
			ch.expression(regex, now)
		}
	}
}

// matches are the topics whose whole name an expression matches, sorted; an expression
// that cannot be read matches none.
func matches(regex string, topics Topics) []string {
	found := []string{}
	re, err := compile(regex)
	if err != nil {
		return found
	}
	for name := range topics.TopicNames() {
		if re.MatchString(name) {
			found = append(found, name)
		}
	}
	return sortedSet(found)
}

// topicsHash is over all topics that the members read: which there are, under which
// ids, with how many partitions. 0 stands for none.
func (cg *consumerGroup) topicsHash(topics Topics) int64 {
	names := make([]string, 0, len(cg.names))
	for t := range cg.names {
		names = append(names, t)
	}
	for _, x := range cg.expressions {
		names = append(names, x.topics...)
	}
	h := fnv.New64a()
	any := false
	for _, t := range sortedSet(names) {
		id, partitions, ok := topics.Topic(t)
		if !ok {
			continue
		}
		any = true
		h.Write(id[:])
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(partitions)))
	}
	if !any {
		return 0
	}
	return int64(h.Sum64())
}

// subscribed are the topics that a member reads and that exist.
func (cg *consumerGroup) subscribed(topics Topics, m *consumerMember) map[TopicID]bool {
	ids := make(map[TopicID]bool, len(m.topics))
	add := func(names []string) {
		for _, t := range names {
			if id, _, ok := topics.Topic(t); ok {
				ids[id] = true
			}
		}
	}
	add(m.topics)
	if x := cg.expressions[m.regex]; x != nil {
		add(x.topics)
	}
	return ids
}

// topicsChanged gives the group a new assignment when a topic that it reads is made,
// deleted or has more partitions.
func (cg *consumerGroup) topicsChanged(c *Coordinator, names []string) {
	concerned := cg.stale
	for _, n := range names {
		concerned = concerned || cg.names[n] > 0
	}
	ch := c.change(cg.g, cg)
	for _, regex := range sortedNames(cg.expressions) {
		x := cg.expressions[regex]
		now, changed := x.after(regex, names, c.topics)
		if changed {
			ch.expression(regex, now)
		}
		for _, n := range names {
			_, has := slices.BinarySearch(now, n)
			concerned = concerned || has
		}
		concerned = concerned || changed
	}
	if !concerned {
		return
	}
	ch.refresh(false)
	c.retarget(ch)
	ch.end(func(err error) {
		if err != nil {
			cg.stale = true // the next heartbeat looks again
		}
	})
}

// after is what an expression matches when topics have come or gone.
func (x *expression) after(regex string, names []string, topics Topics) (now []string, changed bool) {
	now = x.topics
	re, err := compile(regex)
	if err != nil {
		return now, false
	}
	for _, n := range names {
		_, _, there := topics.Topic(n)
		i, has := slices.BinarySearch(now, n)
		want := there && re.MatchString(n)
		switch {
		case want && !has:
			now, changed = slices.Insert(slices.Clone(now), i, n), true
		case !want && has:
			now, changed = slices.Delete(slices.Clone(now), i, i+1), true
		}
	}
	return now, changed
}
