package group

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// canon describes all of a scene that decides what can happen from here on. Two
// scenes with one description behave alike: member ids, offsets and Writes are
// named in the order in which they appear, generations count from the group's,
// times from now.
func (p *scene) canon() string {
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+";", args...) }
	in := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Sub(p.now).String()
	}
	c := p.c
	waits := func(w *waiter) string {
		if w == nil {
			return "-"
		}
		return fmt.Sprint("#", p.place(w.token))
	}
	g := c.groups[exploredGroup]
	base := int32(0)
	if g != nil {
		base = g.generation
		put("%s %s %s leader %s first %v", g.state, g.protocolType, g.protocol, g.leader, g.generation == 0)
		put("initial %v %v %v %v join %s sync %s wake %s", g.initial, g.initialGrew, g.initialRemaining, g.initialDelay, in(g.joinAt), in(g.syncAt), in(g.wakeAt))
		for _, m := range g.members {
			put("member %s %v %s joins %s syncs %s new %v until %s", m.id, m.instance != nil, m.assignment, waits(m.joining), waits(m.syncing), m.isNew, in(m.deadline))
			put("unsynced %v", g.unsynced[m.id])
		}
		for _, id := range slices.Sorted(maps.Keys(g.pending)) {
			put("pending %s %s", id, in(g.pending[id]))
		}
		put("assigning %v", g.assigning)
		put("asked %d persisted %v last %d subscribed %v", g.asked, g.persisted, int64(g.lastWrite)-int64(c.writes.Last()), g.subscribed != nil)
		if o := offsetText(g); o != "" {
			put("offset o%s", o)
		}
	}
	put("durable %d failed %v", int64(c.writes.Durable())-int64(c.writes.Last()), c.writes.Failed() != nil)
	for id, w := range c.writes.Flying() {
		put("flying %d %v", int64(id)-int64(c.writes.Last()), w.group == g)
	}
	for id := range c.writes.Held() {
		put("held %d", int64(id)-int64(c.writes.Last()))
	}
	records := func(rs []Record) {
		for _, r := range rs {
			kind, text := saysRecord(r)
			if kind == "offset" && text != "" {
				text = "o" + text
			}
			put("%s %q", kind, text)
		}
	}
	for _, w := range p.tail {
		_, why, _ := strings.Cut(p.why[w.ID], " ")
		put("tail %s", why)
		records(w.Records)
	}
	last := reduce(p.log)
	put("log %q o%s", last["group"], last["offset"])
	put("refusing %v failed %v buried %v", p.refusing, p.failed, p.buried)
	for _, pl := range p.players {
		put("%s %s <%d> was %s <%d> leads %v", pl.name, pl.member, pl.generation, pl.was.member, pl.was.generation, pl.leads)
	}
	for _, t := range slices.Sorted(maps.Keys(p.open)) {
		q := p.open[t]
		put("open %s %s", q.kind, q.player)
		switch q.kind {
		case "fetch":
			put("o%s", q.shown)
		case "commit", "late commit", "lone commit":
			put("o%d %s <%d>", q.offset, q.event.(Commit).MemberID, q.event.(Commit).Generation)
		case "join":
			put("%s", q.event.(Join).Req.MemberID)
		case "sync":
			put("%s <%d>", q.event.(Sync).Req.MemberID, q.event.(Sync).Req.Generation)
		}
	}
	put("newest <%d> %v owned <%d> %v", p.newest, p.members, p.owned, p.owners)
	return rename(b.String(), base)
}

// place is the how-manyth open request has this token.
func (p *scene) place(t Token) int {
	return slices.Index(slices.Sorted(maps.Keys(p.open)), t.(int))
}

var names = regexp.MustCompile(`\b[asb]-\d+|\bo\d+|<-?\d+>`)

// rename gives member ids and offsets the names of their first appearance, and
// makes generations relative.
func rename(s string, base int32) string {
	given := map[string]string{}
	return names.ReplaceAllStringFunc(s, func(name string) string {
		if name[0] == '<' {
			n, _ := strconv.Atoi(name[1 : len(name)-1])
			if n < 0 {
				return "<none>"
			}
			return fmt.Sprintf("<%+d>", n-int(base))
		}
		if given[name] == "" {
			given[name] = fmt.Sprintf("%c!%d", name[0], len(given))
		}
		return given[name]
	})
}
