package group

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// share joins a share group: client share TOPIC ...; epoch=N says another epoch than 0.
func (w *world) share(name string, c *client, a args) error {
	req := w.shareBeatOf(name, c, a)
	req.MemberEpoch = int32(a.num("epoch", 0))
	req.SubscribedTopicNames = a.plain
	w.step(ShareHeartbeat{name + " share", Client{name, "/10.0.0.1"}, req})
	return nil
}

// shareBeat is a heartbeat of a share group: with topics, it reads these from now on;
// epoch=-1 leaves.
func (w *world) shareBeat(name string, c *client, a args) error {
	req := w.shareBeatOf(name, c, a)
	if len(a.plain) > 0 {
		req.SubscribedTopicNames = a.plain
	}
	w.step(ShareHeartbeat{name + " share-beat", Client{name, "/10.0.0.1"}, req})
	return nil
}

func (w *world) shareBeatOf(name string, c *client, a args) *kmsg.ShareGroupHeartbeatRequest {
	req := kmsg.NewPtrShareGroupHeartbeatRequest()
	req.Version, req.GroupID, req.MemberID = 1, a.str("group", "g"), a.str("member", name)
	req.MemberEpoch = int32(a.num("epoch", int(c.generation)))
	return req
}

func shareAnswerText(a *kmsg.ShareGroupHeartbeatResponse) string {
	if a.ErrorCode != 0 {
		return codeText(a.ErrorCode) + ": " + *a.ErrorMessage
	}
	s := fmt.Sprintf("epoch=%d", a.MemberEpoch)
	if a.Assignment == nil {
		return s
	}
	var ps []string
	for _, t := range a.Assignment.TopicPartitions {
		ps = append(ps, fmt.Sprint(topicText(t.TopicID), "/", t.Partitions))
	}
	return s + ": " + strings.Join(ps, " ")
}

func shareGroupText(a kmsg.ShareGroupDescribeResponseGroup) string {
	if a.ErrorCode != 0 {
		return codeText(a.ErrorCode)
	}
	s := fmt.Sprintf("%s epoch=%d", a.GroupState, a.GroupEpoch)
	for _, m := range a.Members {
		s += fmt.Sprintf(" [%s epoch=%d reads %s", m.MemberID, m.MemberEpoch, strings.Join(m.SubscribedTopicNames, "+"))
		for _, t := range m.Assignment.TopicPartitions {
			s += fmt.Sprint(" ", t.Topic, "/", t.Partitions)
		}
		s += "]"
	}
	return s
}

func shareRecordText(r Record) string {
	kind := int16(r.Key[0])<<8 | int16(r.Key[1])
	n := 2
	if kind == keyShareGroup || kind == keyShareTarget {
		n = 1
	}
	names, err := readKey(r.Key, n)
	if err != nil {
		return err.Error()
	}
	word := map[int16]string{keyShareMember: "member", keyShareGroup: "group", keyShareTarget: "target", keyShareTargetOne: "shall have", keyShareCurrent: "stands"}[kind]
	s := "share " + strings.Join(names, " ") + ": " + word
	if r.Value == nil {
		return s + " gone"
	}
	return fmt.Sprintf("%s, %d bytes", s, len(r.Value))
}
