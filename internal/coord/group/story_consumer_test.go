package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topics of stories have their names, and a number for each time they were made again,
// as ids.
func topicIDOf(name string, times int) (id TopicID) {
	if times > 1 {
		name += fmt.Sprint("#", times)
	}
	copy(id[:], name)
	return id
}

func topicText(id TopicID) string { return strings.TrimRight(string(id[:]), "\x00") }

// topicsVerb says what there is from now on: NAME=PARTITIONS, NAME=gone, or
// NAME=new:PARTITIONS for one that was deleted and made again.
func (w *world) topicsVerb(a args) error {
	now := maps.Clone(w.topics)
	var names []string
	for name, what := range a.named {
		names = append(names, name)
		n, again := strings.CutPrefix(what, "new:")
		if _, ok := now[name]; !ok || again {
			w.made[name]++
		}
		if what == "gone" {
			delete(now, name)
			continue
		}
		t := testTopic{id: topicIDOf(name, w.made[name])}
		if _, err := fmt.Sscan(n, &t.partitions); err != nil {
			return err
		}
		now[name] = t
	}
	slices.Sort(names)
	w.topics = now
	w.step(TopicsChanged{Now: now, Names: names})
	return nil
}

// consumerSettings changes the settings of all consumer groups.
func (w *world) consumerSettings(a args) error {
	for k := range a.named {
		d := time.Duration(a.ms(k, 0)) * time.Millisecond
		switch k {
		case "session":
			w.settings.Session = d
		case "heartbeat":
			w.settings.Heartbeat = d
		case "assignment":
			w.settings.Assignment = d
		default:
			return fmt.Errorf("no setting %q", k)
		}
	}
	return nil
}

// consume joins a consumer group, with the topics named: client consume TOPIC ...
func (w *world) consume(name string, c *client, a args) error {
	for _, k := range []string{"instance", "regex", "rebalance", "assignor", "rack", "member"} {
		if v, ok := a.named[k]; ok {
			c.settings[k] = v
		} else if v, ok := c.settings[k]; ok {
			a.named[k] = v
		}
	}
	req := w.heartbeatOf(name, c, a)
	req.MemberEpoch = int32(a.num("epoch", 0))
	req.SubscribedTopicNames = append([]string{}, a.plain...)
	req.SubscribedTopicRegex = a.optional("regex")
	req.RebalanceTimeoutMillis = a.ms("rebalance", 60*time.Second)
	req.RackID = a.optional("rack")
	req.ServerAssignor = a.optional("assignor")
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	w.step(ConsumerHeartbeat{name + " consume", Client{name, "/10.0.0.1"}, req})
	return nil
}

func (w *world) heartbeatOf(name string, c *client, a args) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version = int16(a.num("v", 1))
	req.Group = a.str("group", "g")
	if c.member == "" {
		c.member = name
	}
	req.MemberID = a.str("member", c.member)
	c.member = req.MemberID
	if v, ok := c.settings["instance"]; ok {
		req.InstanceID = &v
	}
	req.MemberEpoch = int32(a.num("epoch", int(c.generation)))
	req.RebalanceTimeoutMillis = -1
	return req
}

// beat is a heartbeat that says nothing new, or, with topics or a regex, what the
// client reads from now on.
func (w *world) beat(name string, c *client, a args) error {
	req := w.heartbeatOf(name, c, a)
	if len(a.plain) > 0 {
		req.SubscribedTopicNames = a.plain
	}
	req.SubscribedTopicRegex = a.optional("regex")
	req.ServerAssignor = a.optional("assignor")
	w.step(ConsumerHeartbeat{name + " beat", Client{name, "/10.0.0.1"}, req})
	return nil
}

// owns is a heartbeat that says which partitions the client has: those that it was
// told last, or TOPIC/PARTITION ..., or "nothing".
func (w *world) owns(name string, c *client, a args) error {
	req := w.heartbeatOf(name, c, a)
	ps := c.assigned
	if len(a.plain) > 0 {
		ps = nil
		for _, s := range a.plain {
			if s == "nothing" {
				continue
			}
			t, p, _ := strings.Cut(s, "/")
			var n int32
			if _, err := fmt.Sscan(p, &n); err != nil {
				return err
			}
			ps = append(ps, partition{w.topics[t].id, n})
		}
	}
	req.Topics = ownedTopics(ps)
	w.step(ConsumerHeartbeat{name + " owns", Client{name, "/10.0.0.1"}, req})
	return nil
}

func ownedTopics(ps []partition) []kmsg.ConsumerGroupHeartbeatRequestTopic {
	topics := []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for topic, ps := range byTopic(ps) {
		t := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		t.TopicID, t.Partitions = topic, indexes(ps)
		topics = append(topics, t)
	}
	return topics
}

// quit leaves, for good or, with "static", for a while.
func (w *world) quit(name string, c *client, a args) error {
	req := w.heartbeatOf(name, c, a)
	req.MemberEpoch = leaveEpoch
	if slices.Contains(a.plain, "static") {
		req.MemberEpoch = leaveStaticEpoch
	}
	w.step(ConsumerHeartbeat{name + " quit", Client{name, "/10.0.0.1"}, req})
	return nil
}

// heard is what a client learns from an answer to its heartbeat.
func (c *client) heard(a *kmsg.ConsumerGroupHeartbeatResponse) {
	if a.ErrorCode != 0 {
		return
	}
	c.generation = a.MemberEpoch
	if a.MemberID != nil {
		c.member = *a.MemberID
	}
	if a.Assignment != nil {
		c.assigned = nil
		for _, t := range a.Assignment.Topics {
			for _, p := range t.Partitions {
				c.assigned = append(c.assigned, partition{t.TopicID, p})
			}
		}
	}
}

func partitionsText(ps []partition) string {
	if len(ps) == 0 {
		return "nothing"
	}
	var s []string
	for topic, ps := range byTopic(ps) {
		var is []string
		for _, i := range indexes(ps) {
			is = append(is, fmt.Sprint(i))
		}
		s = append(s, topicText(topic)+"/"+strings.Join(is, "+"))
	}
	return strings.Join(s, " ")
}

func consumerAnswerText(a *kmsg.ConsumerGroupHeartbeatResponse) string {
	if a.ErrorCode != 0 {
		return codeText(a.ErrorCode) + ": " + *a.ErrorMessage
	}
	s := fmt.Sprintf("epoch=%d", a.MemberEpoch)
	if a.MemberID != nil {
		s += " member=" + *a.MemberID
	}
	if a.Assignment != nil {
		var ps []partition
		for _, t := range a.Assignment.Topics {
			for _, p := range t.Partitions {
				ps = append(ps, partition{t.TopicID, p})
			}
		}
		s += ": " + partitionsText(ps)
	}
	return s
}

func consumerGroupText(a kmsg.ConsumerGroupDescribeResponseGroup) string {
	if a.ErrorCode != 0 {
		s := codeText(a.ErrorCode)
		if a.ErrorMessage != nil {
			s += ": " + *a.ErrorMessage
		}
		return s
	}
	s := fmt.Sprintf("%s epoch=%d target=%d %s", a.State, a.Epoch, a.AssignmentEpoch, a.AssignorName)
	for _, m := range a.Members {
		kind := ""
		if m.MemberType == 0 {
			kind = " classic"
		}
		reads := strings.Join(m.SubscribedTopics, "+")
		if *m.SubscribedTopicRegex != "" {
			reads += "~" + *m.SubscribedTopicRegex
		}
		s += fmt.Sprintf(" [%s%s%s epoch=%d reads %s has %s shall have %s]", m.MemberID, text(m.InstanceID), kind, m.MemberEpoch, reads,
			describedText(m.Assignment), describedText(m.TargetAssignment))
	}
	return s
}

func describedText(a kmsg.Assignment) string {
	var ps []partition
	for _, t := range a.TopicPartitions {
		for _, p := range t.Partitions {
			ps = append(ps, partition{t.TopicID, p})
		}
	}
	return partitionsText(ps)
}

// consumerRecordText is a record of a consumer group for a reader.
func consumerRecordText(r Record) string {
	kind := int16(r.Key[0])<<8 | int16(r.Key[1])
	n := 2
	if kind == keyConsumerGroup || kind == keyConsumerPartitions || kind == keyConsumerTarget {
		n = 1
	}
	names, err := readKey(r.Key, n)
	if err != nil {
		return err.Error()
	}
	s := strings.Join(names, " ")
	word := map[int16]string{
		keyConsumerGroup: "group", keyConsumerPartitions: "topics", keyConsumerMember: "member", keyConsumerTarget: "target",
		keyConsumerTargetOne: "shall have", keyConsumerCurrent: "stands", keyConsumerExpression: "expression",
	}[kind]
	if r.Value == nil {
		return s + ": " + word + " gone"
	}
	switch kind {
	case keyConsumerGroup:
		epoch, _, _, _ := readConsumerGroup(r.Value)
		return fmt.Sprintf("%s: epoch %d", s, epoch)
	case keyConsumerTarget:
		epoch, at, _, _ := readConsumerTarget(r.Value)
		if at == 0 {
			return fmt.Sprintf("%s: target of epoch %d, long ago", s, epoch)
		}
		return fmt.Sprintf("%s: target of epoch %d", s, epoch)
	case keyConsumerMember:
		m, _, _ := readConsumerMember(names[1], r.Value)
		s += ": reads " + strings.Join(m.topics, "+")
		if m.regex != "" {
			s += "~" + m.regex
		}
		if m.instance != nil {
			s += " as " + *m.instance
		}
		if m.assignor != "" {
			s += " by " + m.assignor
		}
		if m.classic != nil {
			s += " classic"
			for _, p := range m.classic.protocols {
				s += " " + p.name
			}
		}
		return s
	case keyConsumerTargetOne:
		ps, _, _ := readConsumerTargetOne(r.Value)
		return s + ": shall have " + partitionsText(ps)
	case keyConsumerCurrent:
		m, _, _ := readConsumerCurrent(newConsumerMember(names[1]), r.Value)
		s += fmt.Sprintf(": epoch %d", m.epoch)
		s += [...]string{"", " unrevoked", " unreleased"}[m.state]
		s += " has " + partitionsText(sortedKeys(m.assigned))
		if len(m.revoking) > 0 {
			s += " gives up " + partitionsText(sortedKeys(m.revoking))
		}
		return s
	case keyConsumerExpression:
		topics, _, _ := readConsumerExpression(r.Value)
		return s + ": matches " + strings.Join(topics, "+")
	}
	return s + ": " + word
}
