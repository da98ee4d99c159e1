package group

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const exploredGroup = "g"

// player is a client with what it remembers.
type player struct {
	name     string
	instance *string // of a static member
	version  int16   // of its joins: 9 is told its id first, 3 is a member at once

	member     string
	generation int32
	// was is who it was before its last join, for requests that come late.
	was struct {
		member     string
		generation int32
	}
	leads []string // the members of its generation when it leads it
}

// asked is a request that waits for its answer.
type asked struct {
	kind   string
	player string
	event  Event
	offset int64  // a commit's
	shown  string // what an OffsetFetch has to answer
}

// scene is a coordinator, the log under it, its clients, and what they were told.
type scene struct {
	x   *explorer
	c   *Coordinator
	now time.Time
	ids int

	log      []Record          // durable
	tail     []Write           // appended, not durable
	why      map[uint64]string // Write -> the action that asked for it
	refusing bool              // appends are refused
	failed   bool              // a flush has failed: nothing is written any more

	players []*player
	open    map[int]asked
	token   int
	commits int

	// What was told, of the group that there is now.
	newest  int32             // the newest generation that a join was told
	members map[string]bool   // who is in it, as its leader was told
	owners  map[string]string // partition -> who was told that it is its, in owned
	owned   int32             // the generation of owners
	buried  bool              // a deletion was acknowledged and nothing written since
	problem string
	path    []string
	quiet   bool // what happens is not counted
}

// shares that leaders give away: the first member gets the first. There are more
// members than players where one comes back without its id.
var shares = []string{"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"}

func exploredConfig() Config {
	cfg := DefaultConfig()
	// Few different lengths of time, so that many orders of events meet in one state.
	cfg.MinSessionTimeout = time.Second
	cfg.InitialRebalanceDelay = 6 * time.Second
	cfg.NewMemberJoinTimeout = 12 * time.Second
	cfg.OffsetsRetention = 10000 * time.Hour
	cfg.OffsetsRetentionCheckInterval = 1000 * time.Hour
	return cfg
}

func newScene(x *explorer) *scene {
	p := &scene{x: x, now: time.Unix(1e9, 0), open: map[int]asked{}, why: map[uint64]string{}}
	static := "s"
	p.players = []*player{{name: "a", version: 9, generation: -1}, {name: "s", instance: &static, version: 9, generation: -1}}
	if x.three {
		p.players = append(p.players, &player{name: "b", version: 3, generation: -1})
	}
	p.forget()
	p.start()
	return p
}

// forget begins the account of a group anew: it was deleted, or is not yet there.
func (p *scene) forget() {
	p.newest, p.members, p.owners, p.owned = -1, nil, nil, -1
}

func (p *scene) fail(format string, args ...any) {
	if p.problem == "" {
		p.problem = fmt.Sprintf(format, args...)
	}
}

// start replays the log into a new coordinator.
func (p *scene) start() {
	cfg := exploredConfig()
	cfg.NewID = func() string { p.ids++; return fmt.Sprint(p.ids) }
	p.c = New(cfg)
	var n Replayed
	for _, r := range p.log {
		if err := p.c.Replay(r, &n); err != nil {
			p.fail("replay: %v", err)
		}
	}
	p.checkReload()
	p.effects(p.c.Loaded(p.now, nil), "the start")
}

// checkReload compares what was reloaded with the log, reduced in the plainest
// way: the last record of each key.
func (p *scene) checkReload() {
	last := reduce(p.log)
	g := p.c.groups[exploredGroup]
	wanted := last["offset"] != "" || last["group"] != ""
	if (g != nil) != wanted {
		p.fail("after a restart there is a group: %v, the log says %q", g != nil, last)
		return
	}
	if g == nil {
		return
	}
	if got := offsetText(g); got != last["offset"] {
		p.fail("after a restart the offset is %q, in the log it is %q", got, last["offset"])
	}
}

func offsetText(g *group) string {
	if g == nil {
		return ""
	}
	if o, ok := g.offsets["t"][0]; ok {
		return fmt.Sprint(o.offset)
	}
	return ""
}

// reduce is what compaction would leave of the explored group.
func reduce(log []Record) map[string]string {
	out := map[string]string{}
	for _, r := range log {
		kind, text := saysRecord(r)
		out[kind] = text
		if text == "" {
			delete(out, kind)
		}
	}
	return out
}

// saysRecord tells what a record says: "" for a tombstone.
func saysRecord(r Record) (kind, text string) {
	e, ok, err := decode(r)
	switch {
	case err != nil || !ok:
		return "unknown", fmt.Sprint(err)
	case e.offsetKey != nil && e.offsetValue != nil:
		return "offset", fmt.Sprint(e.offsetValue.Offset)
	case e.offsetKey != nil:
		return "offset", ""
	case e.groupValue == nil:
		return "group", ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "generation <%d>", e.groupValue.Generation)
	if e.groupValue.Leader != nil {
		fmt.Fprintf(&b, " leader %s", *e.groupValue.Leader)
	}
	for _, m := range e.groupValue.Members {
		fmt.Fprintf(&b, " %s=%s", m.MemberID, m.Assignment)
	}
	return "group", b.String()
}

// step feeds one event to the machine, through the mistake that is tried.
func (p *scene) step(e Event) {
	if m := p.x.mistake; m.before != nil {
		e = m.before(p, e)
	}
	action := ""
	if len(p.path) > 0 {
		action = p.path[len(p.path)-1]
	}
	eff := p.c.Step(p.now, e)
	if m := p.x.mistake; m.after != nil {
		m.after(p, e, &eff)
	}
	p.effects(eff, action)
}

func (p *scene) effects(eff Effects, action string) {
	for _, r := range eff.Replies {
		p.answered(r)
	}
	for _, w := range eff.Writes {
		if p.refusing || p.failed {
			p.x.saw(p, "an append is refused: "+action)
			p.step(Appended{w.ID, kerr.KafkaStorageError})
			continue
		}
		p.tail = append(p.tail, w)
		if slices.ContainsFunc(w.Records, buries) {
			p.newest, p.members = -1, nil // the next group of the name is another one
		}
		p.why[w.ID] = action
		p.buried = false
		p.step(Appended{w.ID, nil})
	}
	p.check()
}

// buries says whether a record deletes the group.
func buries(r Record) bool {
	kind, text := saysRecord(r)
	return kind == "group" && text == ""
}

// stored takes note that writes are on the disk.
func (p *scene) stored(ws []Write) {
	for _, w := range ws {
		p.log = append(p.log, w.Records...)
		if slices.ContainsFunc(w.Records, buries) {
			p.owned, p.owners = -1, nil
		}
	}
}

// flush makes the first n writes durable.
func (p *scene) flush(n int) {
	id := p.tail[n-1].ID
	p.stored(p.tail[:n])
	p.tail = slices.Clone(p.tail[n:])
	p.step(Durable{id, nil})
}

func (p *scene) ask(kind string, who *player, offset int64, event func(Token) Event) {
	p.token++
	e := event(p.token)
	q := asked{kind: kind, event: e, offset: offset}
	if who != nil {
		q.player = who.name
	}
	if kind == "fetch" {
		q.shown = offsetText(p.c.groups[exploredGroup])
	}
	p.open[p.token] = q
	p.step(e)
}

// player finds the client that sent a request.
func (p *scene) player(name string) *player {
	for _, c := range p.players {
		if c.name == name {
			return c
		}
	}
	return nil
}

// answered takes an answer in, and compares it with what was told before.
func (p *scene) answered(r Reply) {
	q, ok := p.open[r.Token.(int)]
	if !ok {
		p.fail("request %v is answered twice, or was not asked: %+v", r.Token, r.Answer)
		return
	}
	delete(p.open, r.Token.(int))
	who := p.player(q.player)
	switch a := r.Answer.(type) {
	case *kmsg.JoinGroupResponse:
		p.joined(who, a)
	case *kmsg.SyncGroupResponse:
		if a.ErrorCode == 0 {
			p.synced(q.event.(Sync).Req, a)
		}
		p.x.sawCode(p, "sync", a.ErrorCode)
	case *kmsg.HeartbeatResponse:
		if a.ErrorCode == 0 && q.event.(Heartbeat).Req.Generation < p.newest {
			p.fail("a heartbeat of generation %d is well though %d has begun", q.event.(Heartbeat).Req.Generation, p.newest)
		}
		p.x.sawCode(p, "heartbeat", a.ErrorCode)
	case *kmsg.LeaveGroupResponse:
	case CommitAnswer:
		p.committed(q, a.Codes[0])
	case FetchAnswer:
		got := ""
		if len(a.Topics) == 1 {
			got = fmt.Sprint(a.Topics[0].Partitions[0].Offset)
		}
		if a.Code == 0 && got != q.shown {
			p.fail("an OffsetFetch says %q, it was %q when it was asked", got, q.shown)
		}
		if a.Code == 0 && got != "" && !p.wasDurable("offset", got) {
			p.fail("the offset %s is shown and was never durable", got)
		}
	case int16:
		if a == 0 {
			if last := reduce(p.log); last["group"] != "" || last["offset"] != "" {
				if !p.written() {
					p.fail("the deletion is acknowledged and the log says %q", last)
				}
			} else {
				p.buried = len(p.tail) == 0
			}
		}
		p.x.sawCode(p, "delete", a)
	}
}

// written says that the group has been written after it was deleted.
func (p *scene) written() bool {
	seen := false
	for _, r := range p.log {
		switch {
		case buries(r):
			seen = true
		case seen:
			return true
		}
	}
	return false
}

func (p *scene) wasDurable(kind, text string) bool {
	return slices.ContainsFunc(p.log, func(r Record) bool {
		k, t := saysRecord(r)
		return k == kind && t == text
	})
}

func (p *scene) joined(who *player, a *kmsg.JoinGroupResponse) {
	p.x.sawCode(p, "join", a.ErrorCode)
	switch a.ErrorCode {
	case 0:
		who.was.member, who.was.generation = who.member, who.generation
		who.member, who.generation, who.leads = a.MemberID, a.Generation, nil
		if a.Generation < p.newest {
			p.fail("%s joins generation %d, after %d", who.name, a.Generation, p.newest)
		}
		if a.Generation > p.newest {
			p.newest, p.members = a.Generation, nil
		}
		if a.LeaderID == a.MemberID && len(a.Members) > 0 {
			p.members = map[string]bool{}
			for _, m := range a.Members {
				who.leads = append(who.leads, m.MemberID)
				p.members[m.MemberID] = true
			}
			if !p.members[a.MemberID] {
				p.fail("the leader %s is not among the members", a.MemberID)
			}
		}
		if p.members != nil && !p.members[a.MemberID] {
			if who.instance == nil {
				p.fail("%s is in generation %d, the leader was told of %v", a.MemberID, a.Generation, p.members)
			}
			p.members[a.MemberID] = true // took the place of its former self
			delete(p.members, who.was.member)
		}
	case kerr.MemberIDRequired.Code:
		who.member, who.generation = a.MemberID, -1
	case kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code:
		who.was.member, who.was.generation = who.member, who.generation
		who.member, who.generation, who.leads = "", -1, nil
	}
}

// synced checks that no two members are told that they own a partition in one
// generation, also over restarts, and that what is told is durable.
func (p *scene) synced(req *kmsg.SyncGroupRequest, a *kmsg.SyncGroupResponse) {
	if req.Generation < p.newest {
		p.fail("%s is told its assignment in generation %d, though %d has begun", req.MemberID, req.Generation, p.newest)
	}
	if req.Generation < p.owned {
		p.fail("an assignment of generation %d after one of %d", req.Generation, p.owned)
	}
	if req.Generation > p.owned {
		p.owned, p.owners = req.Generation, map[string]string{}
	}
	place := strings.SplitN(req.MemberID, "-", 2)[0] // a static member's next self has its place
	for _, part := range strings.Fields(string(a.MemberAssignment)) {
		if was, ok := p.owners[part]; ok && was != place {
			p.fail("in generation %d both %s and %s were told that they own %s", req.Generation, was, place, part)
		}
		p.owners[part] = place
	}
	durable := false
	for _, r := range p.log {
		if e, _, _ := decode(r); e.groupValue != nil && e.groupValue.Generation == req.Generation {
			for _, m := range e.groupValue.Members {
				durable = durable || strings.HasPrefix(m.MemberID, place+"-") && string(m.Assignment) == string(a.MemberAssignment)
			}
		}
	}
	if !durable {
		p.fail("%s is told an assignment that is not durable: %q", req.MemberID, a.MemberAssignment)
	}
}

func (p *scene) committed(q asked, code int16) {
	c := q.event.(Commit)
	p.x.sawCode(p, q.kind, code)
	if code != 0 {
		return
	}
	if !p.wasDurable("offset", fmt.Sprint(q.offset)) {
		p.fail("the offset %d is acknowledged and not durable", q.offset)
	}
	if g := p.c.groups[exploredGroup]; g != nil && c.Generation >= 0 && g.generation > c.Generation {
		p.x.saw(p, "a commit is acknowledged after the next generation has begun")
	}
}

// commit asks for a commit, and checks that it is taken only from somebody who
// is in the generation now.
func (p *scene) commit(kind string, who *player, member string, generation int32) {
	p.commits++
	offset := int64(p.commits)
	var instance *string
	if who != nil && member != "" {
		instance = who.instance
	}
	before := len(p.tail)
	newest, members := p.newest, p.members
	p.ask(kind, who, offset, func(t Token) Event {
		return Commit{Token: t, Group: exploredGroup, MemberID: member, InstanceID: instance, Generation: generation, Version: 9, RetentionMillis: -1,
			Offsets: []CommitOffset{{Topic: "t", Offset: offset, LeaderEpoch: -1}}}
	})
	if len(p.tail) == before || generation < 0 {
		return // not taken, or from somebody without a group
	}
	if generation < newest {
		p.fail("a commit of generation %d is taken, though %d has begun", generation, newest)
	}
	if members != nil && generation == newest && !members[member] {
		p.fail("a commit of %s is taken, generation %d has %v", member, newest, members)
	}
}

// check looks for what must hold in every state.
func (p *scene) check() {
	g := p.c.groups[exploredGroup]
	if g == nil {
		return
	}
	if p.buried && (g.persisted || len(g.offsets) > 0) {
		p.fail("a deleted group is back")
	}
	if len(g.members) != len(g.byID) {
		p.fail("%d members, %d by id", len(g.members), len(g.byID))
	}
	if (len(g.members) == 0) != (g.leader == "") || g.leader != "" && g.byID[g.leader] == nil {
		p.fail("%d members, leader %q", len(g.members), g.leader)
	}
	if len(g.members) > 0 && g.state == Empty || len(g.members) == 0 && (g.state == Stable || g.state == CompletingRebalance) {
		p.fail("%s with %d members", g.state, len(g.members))
	}
	instances := map[string]bool{}
	for _, m := range g.members {
		if m.instance != nil {
			if instances[*m.instance] || g.statics[*m.instance] != m {
				p.fail("instance %s is there twice", *m.instance)
			}
			instances[*m.instance] = true
		}
		if m.syncing != nil && g.state != CompletingRebalance {
			p.fail("a sync of %s waits in %s", m.id, g.state)
		}
		if m.joining != nil && g.state == CompletingRebalance {
			p.fail("a join of %s waits in %s", m.id, g.state)
		}
		if m.deadline.IsZero() && !m.waits() {
			p.fail("%s waits for nothing and never expires", m.id)
		}
	}
	for id := range g.unsynced {
		if g.byID[id] == nil {
			p.fail("%s is waited for and is no member", id)
		}
	}
	if g.state == PreparingRebalance && g.joinAt.IsZero() {
		p.fail("nothing ends the gathering")
	}
}
