package group

// consumerOf is a change of g as a consumer group. A classic group without members
// becomes one, as does one with members that an upgrade is allowed for.
func (c *Coordinator) consumerOf(g *group) (*consumerChange, error) {
	if cg := g.consumer(); cg != nil {
		return c.change(g, cg), nil
	}
	if !g.vacant() {
		return c.upgrade(g)
	}
	ch := c.change(g, newConsumerGroup(g))
	ch.become(ch.cg)
	return ch, nil
}

// recorded says that the log has more of a classic group than offsets.
func (g *group) recorded() bool { return g.protocolType != "" || g.generation > 0 }

// decode reads a value; apply does what it says.
func (cg *consumerGroup) decode(kind int16, name string, value []byte) (apply func(), known bool, err error) {
	switch kind {
	case keyConsumerGroup:
		epoch, hash, known, err := readConsumerGroup(value)
		return func() { cg.epoch, cg.hash = epoch, hash }, known, err
	case keyConsumerPartitions:
		return func() { cg.outdated = true }, true, nil
	case keyConsumerMember:
		m, known, err := readConsumerMember(name, value)
		if old := cg.members[name]; old != nil && m != nil {
			m.epoch, m.previous, m.state, m.assigned, m.revoking = old.epoch, old.previous, old.state, old.assigned, old.revoking
		}
		return func() { cg.setMember(name, m) }, known, err
	case keyConsumerTarget:
		epoch, at, known, err := readConsumerTarget(value)
		return func() { cg.targetEpoch, cg.targetAt = epoch, at }, known, err
	case keyConsumerTargetOne:
		ps, known, err := readConsumerTargetOne(value)
		return func() { cg.setTarget(name, ps) }, known, err
	case keyConsumerCurrent:
		m := cg.members[name]
		if m == nil {
			m = newConsumerMember(name)
		}
		m, known, err := readConsumerCurrent(m, value)
		return func() { cg.setMember(name, m) }, known, err
	}
	topics, known, err := readConsumerExpression(value)
	return func() { cg.setExpression(name, topics) }, known, err
}

// forget does what a tombstone says.
func (cg *consumerGroup) forget(kind int16, name string) {
	switch kind {
	case keyConsumerPartitions:
		cg.outdated = false
	case keyConsumerMember:
		cg.setMember(name, nil)
	case keyConsumerTarget:
		cg.targetEpoch, cg.targetAt = 0, 0
	case keyConsumerTargetOne:
		cg.setTarget(name, nil)
	case keyConsumerCurrent:
		if m := cg.members[name]; m != nil {
			n := *m
			n.epoch, n.previous, n.state, n.assigned, n.revoking = 0, 0, stable, nil, nil
			cg.setMember(name, &n)
		}
	case keyConsumerExpression:
		cg.setExpression(name, nil)
	}
}

// loaded begins the service: the members go on with their epochs, and are expected to
// be heard of. What has become of topics meanwhile is seen.
func (cg *consumerGroup) loaded(c *Coordinator) {
	for id, m := range cg.members {
		p := &presence{session: c.now.Add(c.sessionOf(cg, m))}
		if m.state == unrevoked && m.classic == nil {
			p.rebalance, p.epoch = c.now.Add(m.rebalance), m.epoch
		}
		cg.presences[id] = p
	}
	ch := c.change(cg.g, cg)
	ch.resolve()
	if !cg.empty() {
		ch.refresh(false)
		c.retarget(ch)
	}
	ch.end(func(err error) {
		if err != nil {
			cg.stale = true
		}
	})
}

// becomeClassic makes a consumer group without members a classic one, for the first
// member that wants that. Its records must be gone first: else they would be back
// after a restart.
func (c *Coordinator) becomeClassic(g *group, e Join) {
	c.touch(g)
	c.write(g, g.tombstones(), func() {
		g.modern, g.classicGroup = nil, newClassicGroup(c.now)
	}, func(err error) {
		if err != nil {
			res := joinError(e.Req.Version, e.Req.MemberID, nil)
			res.ErrorCode = codeOf(err)
			c.reply(e.Token, res)
			return
		}
		c.join(e)
	})
}
