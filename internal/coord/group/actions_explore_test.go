package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// action is something that may happen next; run answers false where it cannot.
type action struct {
	name string
	run  func(p *scene) bool
}

// actions are the alphabet, for the players by their place in scene.players.
func actions(players int) []action {
	as := []action{
		{"time passes to the next deadline", (*scene).tick},
		{"flush", func(p *scene) bool {
			if len(p.tail) == 0 || p.failed {
				return false
			}
			p.flush(len(p.tail))
			return true
		}},
		{"flush of the first", func(p *scene) bool {
			if len(p.tail) < 2 || p.failed {
				return false
			}
			p.flush(1)
			return true
		}},
		{"flush fails", (*scene).failFlush},
		{"appends are refused from here on, or taken again", func(p *scene) bool {
			p.refusing = !p.refusing
			return !p.failed
		}},
		{"restart, what was not durable is lost", func(p *scene) bool { p.restart(false); return true }},
		{"restart, what was not durable is there", func(p *scene) bool {
			if len(p.tail) == 0 || p.failed {
				return false
			}
			p.restart(true)
			return true
		}},
		{"delete the group", func(p *scene) bool {
			p.ask("delete", nil, 0, func(t Token) Event { return DeleteGroup{t, exploredGroup} })
			return true
		}},
		{"fetch offsets", func(p *scene) bool {
			p.ask("fetch", nil, 0, func(t Token) Event { return FetchOffsets{Token: t, Group: exploredGroup, All: true} })
			return true
		}},
		{"commit without a group", func(p *scene) bool { p.commit("lone commit", nil, "", -1); return true }},
	}
	for i := range players {
		with := func(name string, run func(p *scene, c *player) bool) {
			as = append(as, action{[]string{"a", "s", "b"}[i] + " " + name, func(p *scene) bool { return run(p, p.players[i]) }})
		}
		with("joins", func(p *scene, c *player) bool { return p.join(c, c.member) })
		with("comes back without its id", func(p *scene, c *player) bool { return c.member != "" && p.join(c, "") })
		with("syncs", func(p *scene, c *player) bool { return p.sync(c, c.member, c.generation, false) })
		with("syncs with another assignment", func(p *scene, c *player) bool {
			return len(c.leads) > 1 && p.sync(c, c.member, c.generation, true)
		})
		with("syncs late", func(p *scene, c *player) bool { return p.sync(c, c.was.member, c.was.generation, false) })
		with("sends a heartbeat", func(p *scene, c *player) bool { return p.beat(c, c.member, c.generation) })
		with("sends a heartbeat late", func(p *scene, c *player) bool { return p.beat(c, c.was.member, c.was.generation) })
		with("commits", func(p *scene, c *player) bool {
			if c.member == "" || c.generation < 0 {
				return false
			}
			p.commit("commit", c, c.member, c.generation)
			return true
		})
		with("commits late", func(p *scene, c *player) bool {
			if c.was.member == "" || c.was.generation < 0 {
				return false
			}
			p.commit("late commit", c, c.was.member, c.was.generation)
			return true
		})
		with("leaves", (*scene).leave)
	}
	return as
}

// tick lets time pass to the next deadline of the group.
func (p *scene) tick() bool {
	d := p.c.Deadline()
	if d.IsZero() || d.After(p.now.Add(time.Hour)) {
		return false
	}
	if d.After(p.now) {
		p.now = d
	}
	p.step(Tick{})
	if d := p.c.Deadline(); !d.IsZero() && !d.After(p.now) {
		p.fail("the deadline is past after a tick")
	}
	return true
}

func (p *scene) failFlush() bool {
	if p.failed || len(p.tail) == 0 {
		return false
	}
	p.failed = true
	p.tail = nil
	p.step(Durable{p.c.writes.Last(), kerr.KafkaStorageError})
	for _, q := range p.open {
		if q.kind != "join" && q.kind != "sync" {
			p.fail("a %s is not answered after the disk has failed", q.kind)
		}
	}
	return true
}

// restart ends the machine: connections are gone, and of what was appended and
// not flushed nothing is left, or all of it.
func (p *scene) restart(kept bool) {
	if kept {
		p.stored(p.tail)
	}
	lost := len(p.tail) > 0 && !kept
	p.tail, p.failed, p.refusing = nil, false, false
	clear(p.open)
	if lost || reduce(p.log)["group"] == "" {
		// A generation that was never durable is void: its number may come again.
		p.newest, p.members = p.owned, nil
	}
	if reduce(p.log)["group"] == "" {
		p.forget()
	}
	p.start()
	if g := p.c.groups[exploredGroup]; g != nil && g.generation < p.owned {
		p.fail("a restart goes back to generation %d, of %d members were told their assignments", g.generation, p.owned)
	}
	if g := p.c.groups[exploredGroup]; g != nil {
		p.newest, p.members = min(p.newest, g.generation), nil
	}
}

func (p *scene) join(c *player, id string) bool {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID = c.version, exploredGroup, id, c.instance
	req.ProtocolType = "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 6000, 6000
	pr := kmsg.NewJoinGroupRequestProtocol()
	pr.Name, pr.Metadata = "range", subscribe([]string{"t"})
	req.Protocols = append(req.Protocols, pr)
	p.ask("join", c, 0, func(t Token) Event { return Join{t, Client{c.name, "/h"}, req} })
	return true
}

func (p *scene) sync(c *player, id string, generation int32, other bool) bool {
	if id == "" || generation < 0 {
		return false
	}
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 3, exploredGroup, id, c.instance, generation
	if id == c.member {
		leads := slices.Clone(c.leads)
		if other {
			slices.Reverse(leads)
		}
		for i, m := range leads {
			ga := kmsg.NewSyncGroupRequestGroupAssignment()
			ga.MemberID, ga.MemberAssignment = m, []byte(shares[i])
			req.GroupAssignment = append(req.GroupAssignment, ga)
		}
	}
	p.ask("sync", c, 0, func(t Token) Event { return Sync{t, req} })
	return true
}

func (p *scene) beat(c *player, id string, generation int32) bool {
	if id == "" || generation < 0 {
		return false
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 4, exploredGroup, id, c.instance, generation
	p.ask("heartbeat", c, 0, func(t Token) Event { return Heartbeat{t, req} })
	return true
}

func (p *scene) leave(c *player) bool {
	if c.member == "" {
		return false
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = 5, exploredGroup
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.InstanceID = c.member, c.instance
	req.Members = append(req.Members, m)
	p.ask("leave", c, 0, func(t Token) Event { return Leave{t, req} })
	return true
}
