package group

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// verbs are the commands that are not a client's.
var verbs = map[string]func(*world, args) error{
	"config": (*world).config,
	"after":  (*world).after,
	"alive":  (*world).alive,

	// The disk.
	"hold":   func(w *world, _ args) error { w.hold = true; return nil },
	"flush":  func(w *world, _ args) error { w.flush(); w.hold = false; return nil },
	"refuse": func(w *world, a args) error { w.refuse = errStorage; return nil },
	"accept": func(w *world, a args) error { w.refuse = nil; return nil },
	"fail":   (*world).fail,
	"crash":  (*world).crash,

	// Administration.
	"describe": func(w *world, a args) error {
		w.step(Describe{"describe", a.str("group", "g"), int16(a.num("v", 6))})
		return nil
	},
	"list": func(w *world, a args) error {
		w.step(List{"list", a.list("states"), a.list("types")})
		return nil
	},
	"delete": func(w *world, a args) error { w.step(DeleteGroup{"delete", a.str("group", "g")}); return nil },
	"delete-offsets": func(w *world, a args) error {
		tps, err := partitions(a.plain)
		w.step(DeleteOffsets{"delete-offsets", a.str("group", "g"), tps})
		return err
	},
	"topic-gone": func(w *world, a args) error { w.step(TopicGone{Topic: a.plain[0]}); return nil },
	"remove":     (*world).remove,

	"describe-share": func(w *world, a args) error {
		w.step(DescribeShare{"describe-share", a.str("group", "g")})
		return nil
	},
	"make-share": func(w *world, a args) error {
		w.step(MakeShare{"make-share", a.str("group", "g"), a.str("check", "") == "yes"})
		return nil
	},

	// Consumer groups.
	"topics":   (*world).topicsVerb,
	"settings": (*world).consumerSettings,
	"describe-consumer": func(w *world, a args) error {
		w.step(DescribeConsumer{"describe-consumer", a.str("group", "g")})
		return nil
	},
}

// requests are what clients can send.
var requests = map[string]func(*world, string, *client, args) error{
	"share":      (*world).share,
	"share-beat": (*world).shareBeat,
	"join":       (*world).join,
	"sync":       (*world).sync,
	"heartbeat":  (*world).heartbeat,
	"leave":      (*world).leave,
	"commit":     (*world).commit,
	"fetch":      (*world).fetch,

	"consume": (*world).consume,
	"beat":    (*world).beat,
	"owns":    (*world).owns,
	"quit":    (*world).quit,
}

// config changes settings; it makes the coordinator anew, so it comes first.
func (w *world) config(a args) error {
	for k, v := range a.named {
		d, _ := time.ParseDuration(v)
		switch k {
		case "initial-delay":
			w.cfg.InitialRebalanceDelay = d
		case "max-size":
			w.cfg.MaxSize = a.num(k, 0)
		case "metadata-max":
			w.cfg.OffsetMetadataMaxSize = a.num(k, 0)
		case "max-write":
			w.cfg.MaxWriteBytes = a.num(k, 0)
		case "assignors":
			w.cfg.ConsumerAssignors = a.list(k)
		case "consumer-max-size":
			w.cfg.ConsumerMaxSize = a.num(k, 0)
		case "migration":
			w.cfg.ConsumerUpgrade = v == "bidirectional" || v == "upgrade"
			w.cfg.ConsumerDowngrade = v == "bidirectional" || v == "downgrade"
		case "retention":
			w.cfg.OffsetsRetention = d
		default:
			return fmt.Errorf("no setting %q", k)
		}
	}
	return w.crash(args{})
}

// after lets time pass, and tells what happens when.
func (w *world) after(a args) error {
	d, err := time.ParseDuration(a.plain[0])
	if err != nil {
		return err
	}
	until := w.now.Add(d)
	for at := w.c.Deadline(); !at.IsZero() && !at.After(until); at = w.c.Deadline() {
		w.now = at
		before := w.text.Len()
		w.step(Tick{})
		if w.text.Len() > before {
			s := w.text.String()
			w.text.Reset()
			w.text.WriteString(s[:before])
			w.printf("  at %s", w.now.Sub(w.began))
			w.text.WriteString(s[before:])
		}
	}
	w.now = until
	return nil
}

// alive lets time pass like after, while the clients named send heartbeats every
// three seconds; their answers are not told.
func (w *world) alive(a args) error {
	d, err := time.ParseDuration(a.plain[0])
	if err != nil {
		return err
	}
	for ; d > 0; d -= 3 * time.Second {
		if err := w.after(args{plain: []string{min(d, 3*time.Second).String()}}); err != nil {
			return err
		}
		before := w.text.String()
		for _, name := range a.plain[1:] {
			if err := w.heartbeat(name, w.clients[name], parse(nil)); err != nil {
				return err
			}
		}
		w.text.Reset()
		w.text.WriteString(before)
	}
	return nil
}

// fail ends a flush with an error: what was appended since the last one is lost.
func (w *world) fail(args) error {
	last := w.tail[len(w.tail)-1].ID
	w.tail = nil
	w.refuse = errStorage
	w.step(Durable{last, errStorage})
	return nil
}

// crash starts a new coordinator from what is durable. Requests that wait are
// lost with the connections.
func (w *world) crash(args) error {
	w.tail, w.hold, w.refuse = nil, false, nil
	w.c = New(w.cfg)
	var n Replayed
	for _, r := range w.log {
		if err := w.c.Replay(r, &n); err != nil {
			return err
		}
	}
	if len(w.log) > 0 {
		w.printf("  replayed: %+v", n)
	}
	var topics Topics
	if len(w.topics) > 0 {
		topics = w.topics
	}
	w.effects(w.c.Loaded(w.now, topics))
	return nil
}

// remove is an administrator's LeaveGroup by instance ids.
func (w *world) remove(a args) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version = 5
	req.Group = a.str("group", "g")
	for _, id := range a.plain {
		m := kmsg.NewLeaveGroupRequestMember()
		m.InstanceID = &id
		m.Reason = a.optional("reason")
		req.Members = append(req.Members, m)
	}
	w.step(Leave{"remove", req})
	return nil
}

// join: protocols=NAME:TOPIC+TOPIC,NAME:TOPIC says what the client can do.
func (w *world) join(name string, c *client, a args) error {
	for _, k := range []string{"session", "rebalance", "protocols", "instance"} {
		if v, ok := a.named[k]; ok {
			c.settings[k] = v
		} else if v, ok := c.settings[k]; ok {
			a.named[k] = v
		}
	}
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version = int16(a.num("v", 9))
	req.Group = a.str("group", "g")
	req.MemberID = a.str("member", c.member)
	c.instance = a.optional("instance")
	req.InstanceID = c.instance
	req.ProtocolType = a.str("type", "consumer")
	req.SessionTimeoutMillis = a.ms("session", 10*time.Second)
	req.RebalanceTimeoutMillis = a.ms("rebalance", 60*time.Second)
	req.Reason = a.optional("reason")
	for _, s := range strings.Split(a.str("protocols", "range:orders"), ",") {
		n, topics, _ := strings.Cut(s, ":")
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name = n
		p.Metadata = subscribe(strings.Split(topics, "+"), a.list("owned")...)
		req.Protocols = append(req.Protocols, p)
	}
	w.step(Join{name + " join", Client{a.str("client", name), "/10.0.0.1"}, req})
	return nil
}

// subscribe is a consumer's metadata; owned are TOPIC/PARTITION.
func subscribe(topics []string, owned ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version = 1
	m.Topics = topics
	for _, s := range owned {
		t, p, _ := strings.Cut(s, "/")
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic = t
		o.Partitions = numbers(p)
		m.OwnedPartitions = append(m.OwnedPartitions, o)
	}
	return m.AppendTo(nil)
}

// numbers reads 1+2+3.
func numbers(s string) (ns []int32) {
	for _, p := range strings.Split(s, "+") {
		var n int32
		if _, err := fmt.Sscan(p, &n); err != nil {
			panic(err)
		}
		ns = append(ns, n)
	}
	return ns
}

// sync: assign=MEMBER:TEXT,MEMBER:TEXT is the leader's decision, with the
// clients' names for their member ids. A TEXT like orders/0+1 becomes what clients
// make of it.
func (w *world) sync(name string, c *client, a args) error {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version = int16(a.num("v", 5))
	req.Group = a.str("group", "g")
	req.MemberID = a.str("member", c.member)
	req.InstanceID = c.instance
	req.Generation = int32(a.num("gen", int(c.generation)))
	if req.Version >= 5 {
		req.ProtocolType = kmsg.StringPtr(a.str("type", "consumer"))
		req.Protocol = kmsg.StringPtr(a.str("protocol", c.protocol))
	}
	for _, s := range a.list("assign") {
		to, what, _ := strings.Cut(s, ":")
		ga := kmsg.NewSyncGroupRequestGroupAssignment()
		ga.MemberID = to
		if o := w.clients[to]; o != nil {
			ga.MemberID = o.member
		}
		ga.MemberAssignment = []byte(what)
		if t, ps, ok := strings.Cut(what, "/"); ok {
			ma := kmsg.NewConsumerMemberAssignment()
			mt := kmsg.NewConsumerMemberAssignmentTopic()
			mt.Topic, mt.Partitions = t, numbers(ps)
			ma.Topics = append(ma.Topics, mt)
			if a.str("userdata", "") != "" {
				ma.UserData = []byte(a.str("userdata", ""))
			}
			ga.MemberAssignment = ma.AppendTo(nil)
		}
		req.GroupAssignment = append(req.GroupAssignment, ga)
	}
	w.step(Sync{name + " sync", req})
	return nil
}

func (w *world) heartbeat(name string, c *client, a args) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version = 4
	req.Group = a.str("group", "g")
	req.MemberID = a.str("member", c.member)
	req.InstanceID = c.instance
	req.Generation = int32(a.num("gen", int(c.generation)))
	w.step(Heartbeat{name + " heartbeat", req})
	return nil
}

func (w *world) leave(name string, c *client, a args) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version = int16(a.num("v", 5))
	req.Group = a.str("group", "g")
	req.MemberID = a.str("member", c.member)
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = req.MemberID
	m.InstanceID = c.instance
	m.Reason = a.optional("reason")
	req.Members = append(req.Members, m)
	w.step(Leave{name + " leave", req})
	return nil
}

// commit TOPIC/PARTITION=OFFSET ...
func (w *world) commit(name string, c *client, a args) error {
	e := Commit{
		Token:           name + " commit",
		Group:           a.str("group", "g"),
		MemberID:        a.str("member", c.member),
		InstanceID:      c.instance,
		Generation:      int32(a.num("gen", int(c.generation))),
		Version:         int16(a.num("v", 9)),
		RetentionMillis: int64(a.ms("retention", -time.Millisecond)),
	}
	for _, s := range a.plain {
		o := CommitOffset{LeaderEpoch: 0, Metadata: a.str("metadata", "")}
		tp, off, _ := strings.Cut(s, "=")
		t, p, _ := strings.Cut(tp, "/")
		o.Topic, o.TopicID = t, w.topics[t].id
		if _, err := fmt.Sscan(p, &o.Partition); err != nil {
			return err
		}
		if _, err := fmt.Sscan(off, &o.Offset); err != nil {
			return err
		}
		e.Offsets = append(e.Offsets, o)
	}
	w.step(e)
	return nil
}

// fetch TOPIC/PARTITION ...; without any, all.
func (w *world) fetch(name string, c *client, a args) error {
	tps, err := partitions(a.plain)
	e := FetchOffsets{Token: name + " fetch", Group: a.str("group", "g"), MemberEpoch: -1, All: len(tps) == 0, Topics: tps}
	if _, ok := a.named["epoch"]; ok {
		e.MemberID, e.MemberEpoch = &c.member, int32(a.num("epoch", 0))
	}
	w.step(e)
	return err
}

func partitions(words []string) ([]TopicPartitions, error) {
	var tps []TopicPartitions
	for _, s := range words {
		t, p, _ := strings.Cut(s, "/")
		var n int32
		if _, err := fmt.Sscan(p, &n); err != nil {
			return nil, err
		}
		tps = append(tps, TopicPartitions{t, []int32{n}})
	}
	return tps, nil
}
