package differential

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Steps of groups of the consumer protocol (KIP-848) whose members name their topics by
// regular expressions. Each step has a group of its own: Kafka looks the first expression
// of a group up at once, others up to ten seconds later. What becomes of a group while
// topics come and go is in TestExpressionFindsTopics.

// expressionOps are the kinds of steps of random groups with expressions.
var expressionOps = []op{
	{"setup", 0, (*world).setupStep},
	{"read", 16, (*world).readStep},
	{"refused", 8, (*world).readRefusedStep},
	{"create", 5, (*world).createStep},
	{"delete topic", 3, (*world).deleteStep},
	{"partitions", 3, (*world).partitionsStep},
}

// readers is a group with expressions.
type readers struct {
	w       *world
	group   string
	members map[string]*reader
	want    map[string]bool // topics and partitions that somebody reads
}

type reader struct {
	epoch int32
	has   []kmsg.ConsumerGroupHeartbeatRequestTopic
}

// expressions are what members read, R being the run.
var expressions = []string{"t0-R", "t[01]-R", ".*-R", "t.-R|nosuch", "nosuch-R.*", "t[^0]-R", "t\\d-R", "(t1|t2)-R", "(?i)T2-R", "0-R", "t0", "\\Qt1-R\\E", "[[:alpha:]]2-R", "(?P<n>t)0-R"}

func (w *world) ofRun(expression string) string {
	return strings.ReplaceAll(expression, "-R", "-"+w.run)
}

// newReaders is a group that nobody was in yet.
func (w *world) newReaders() *readers {
	w.fresh++
	return &readers{w: w, group: fmt.Sprintf("e%d-%s", w.fresh, w.run), members: map[string]*reader{}, want: map[string]bool{}}
}

func (r *readers) request(name string, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = r.group, name, epoch, -1
	return req
}

func (r *readers) joining(name, expression string, names []string) *kmsg.ConsumerGroupHeartbeatRequest {
	req := r.request(name, 0)
	req.RebalanceTimeoutMillis, req.Topics, req.SubscribedTopicNames = 60_000, []kmsg.ConsumerGroupHeartbeatRequestTopic{}, names
	expression = r.w.ofRun(expression)
	req.SubscribedTopicRegex = &expression
	return req
}

// beat sends what a member says and takes over what it is told.
func (r *readers) beat(name string, req *kmsg.ConsumerGroupHeartbeatRequest) (code int16) {
	resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](r.w.side, req, 1)
	if resp.ErrorCode != 0 {
		return resp.ErrorCode
	}
	if r.members[name] == nil {
		r.members[name] = &reader{}
	}
	m := r.members[name]
	m.epoch = resp.MemberEpoch
	if resp.Assignment != nil {
		m.has = nil
		for _, t := range resp.Assignment.Topics {
			m.has = append(m.has, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.TopicID, Partitions: t.Partitions})
		}
	}
	return 0
}

// reads adds to what has to be assigned.
func (r *readers) reads(expression string, names []string) {
	whole := regexp.MustCompile("^(?:" + r.w.ofRun(expression) + ")$")
	all := make([]string, slots)
	for i := range all {
		all[i] = r.w.topicName(i)
	}
	for _, t := range ask[*kmsg.MetadataResponse](r.w.side, metadata(false, all...), 12).Topics {
		if t.ErrorCode == 0 && (slices.Contains(names, *t.Topic) || expression != "" && whole.MatchString(*t.Topic)) {
			for _, p := range t.Partitions {
				r.want[fmt.Sprint(*t.Topic, "/", p.Partition)] = true
			}
		}
	}
}

// settle has the members beat until all that they read is assigned.
func (r *readers) settle() {
	r.w.t.Helper()
	describe := kmsg.NewPtrConsumerGroupDescribeRequest()
	describe.Groups = []string{r.group}
	var has map[string]bool
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, name := range slices.Sorted(maps.Keys(r.members)) {
			req := r.request(name, r.members[name].epoch)
			if req.Topics = r.members[name].has; req.Topics == nil {
				req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			}
			if code := r.beat(name, req); code != 0 {
				r.w.t.Fatalf("%s: a member is refused after %s: error %d", r.w.name, r.w.label, code)
			}
		}
		has = map[string]bool{}
		for _, m := range ask[*kmsg.ConsumerGroupDescribeResponse](r.w.side, describe, 1).Groups[0].Members {
			for _, t := range m.Assignment.TopicPartitions {
				for _, p := range t.Partitions {
					has[fmt.Sprint(t.Topic, "/", p)] = true
				}
			}
		}
		if maps.Equal(has, r.want) {
			return
		}
	}
	r.w.t.Fatalf("%s: a group never settles after %s: it has %v, and should have %v", r.w.name, r.w.label, slices.Sorted(maps.Keys(has)), slices.Sorted(maps.Keys(r.want)))
}

// readStep has a member, or two, read by an expression, by names, or both.
func (w *world) readStep(d *dice) {
	r := w.newReaders()
	expression, names := expressions[d.n(len(expressions))], []string{}
	what := fmt.Sprintf("a reads %q", expression)
	if d.one(4) {
		slot := d.n(slots)
		names = append(names, w.topicName(slot))
		what += fmt.Sprint(" and t", slot)
	}
	w.label = what
	w.say("a joins", fmt.Sprint("error ", r.beat("a", r.joining("a", expression, names))))
	r.reads(expression, names)
	if d.one(6) { // Kafka assigns to a second one a second later
		w.label += ", b too"
		w.say("b joins", fmt.Sprint("error ", r.beat("b", r.joining("b", expression, names))))
	}
	if d.one(6) { // nothing has to be looked up for this
		expression, names = "", []string{w.topicName(0)}
		req := r.request("a", r.members["a"].epoch)
		req.SubscribedTopicRegex, req.SubscribedTopicNames = &expression, names
		if len(r.members) == 1 {
			r.want = map[string]bool{}
		}
		w.label += ", and then t0 alone"
		w.say("a goes on", fmt.Sprint("error ", r.beat("a", req)))
		r.reads(expression, names)
	}
	r.settle()
	r.note()
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		w.say(name+" leaves", fmt.Sprint("error ", r.beat(name, r.request(name, -1))))
	}
}

// note notes what a group has come to: who reads what, and which partitions are assigned.
// Who has them goes by the order of hash tables in Kafka, and it counts epochs on the way.
func (r *readers) note() {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{r.group}
	r.w.thin = func(resp kmsg.Response) {
		g := &resp.(*kmsg.ConsumerGroupDescribeResponse).Groups[0]
		g.State, g.Epoch, g.AssignmentEpoch = "", 0, 0
		assigned := []string{}
		for j := range g.Members {
			m := &g.Members[j]
			for _, t := range m.Assignment.TopicPartitions {
				assigned = append(assigned, fmt.Sprint(t.Topic[:2], t.Partitions))
			}
			if m.MemberEpoch = 0; len(g.Members) > 1 {
				m.Assignment.TopicPartitions, assigned = nil, nil
			}
			m.TargetAssignment.TopicPartitions = nil
		}
		slices.Sort(assigned)
		r.w.say("assigned", fmt.Sprint(assigned))
	}
	defer func() { r.w.thin = nil }()
	r.w.ask(r.group[:2], req, 1)
}

// readRefusedStep sends what no member may say.
func (w *world) readRefusedStep(d *dice) {
	r, version := w.newReaders(), int16(1)
	expression := pick(d, "(", "[z-a]", "*", "a{2,1}", "(?<n>a", "\\", "(?=t0)", "\\1", "a**", "t0-R", "t0-R", "t0-R")
	req := r.joining("x", expression, []string{})
	what := fmt.Sprintf("x reads %q", expression)
	if expression == "t0-R" { // nothing is wrong with it: something else is
		switch pick(d, "v0", "a wrong epoch", "no partitions", "no time-out") {
		case "v0":
			version, req.SubscribedTopicNames = 0, nil
			what += ", which the version does not have"
		case "a wrong epoch":
			req.MemberEpoch = 77
			what += " at epoch 77"
		case "no partitions":
			req.Topics = nil
			what += " without partitions"
		case "no time-out":
			req.RebalanceTimeoutMillis = -1
			what += " without a time-out"
		}
	}
	w.ask(what, req, version)
}
