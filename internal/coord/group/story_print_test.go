package group

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answered prints a reply, and lets the client remember what it learns from it.
func (w *world) answered(r Reply) {
	c := w.clients[strings.Fields(r.Token.(string))[0]]
	switch a := r.Answer.(type) {
	case *kmsg.JoinGroupResponse:
		if a.ErrorCode == 0 {
			c.generation, c.protocol = a.Generation, *a.Protocol
		}
		if a.MemberID != "" || a.ErrorCode == kerr.UnknownMemberID.Code {
			c.member = a.MemberID
		}
	case *kmsg.ConsumerGroupHeartbeatResponse:
		c.heard(a)
	case *kmsg.ShareGroupHeartbeatResponse:
		if a.ErrorCode == 0 {
			c.generation = a.MemberEpoch
		}
	}
	w.printf("  %s -> %s", r.Token, answerText(r.Answer))
}

func codeText(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.TypedErrorForCode(code).Message
}

func answerText(answer any) string {
	switch a := answer.(type) {
	case *kmsg.JoinGroupResponse:
		if a.ErrorCode != 0 {
			s := codeText(a.ErrorCode)
			if a.MemberID != "" {
				s += " member=" + a.MemberID
			}
			return s
		}
		s := fmt.Sprintf("member=%s gen=%d protocol=%s leader=%s", a.MemberID, a.Generation, *a.Protocol, a.LeaderID)
		for _, m := range a.Members {
			s += fmt.Sprintf(" [%s %s]", m.MemberID, topicsText(m.ProtocolMetadata))
		}
		if a.SkipAssignment {
			s += " skip-assignment"
		}
		return s
	case *kmsg.SyncGroupResponse:
		return codeText(a.ErrorCode) + " " + assignmentText(a.MemberAssignment)
	case *kmsg.ShareGroupHeartbeatResponse:
		return shareAnswerText(a)
	case kmsg.ShareGroupDescribeResponseGroup:
		return shareGroupText(a)
	case *kmsg.ConsumerGroupHeartbeatResponse:
		return consumerAnswerText(a)
	case kmsg.ConsumerGroupDescribeResponseGroup:
		return consumerGroupText(a)
	case *kmsg.HeartbeatResponse:
		return codeText(a.ErrorCode)
	case *kmsg.LeaveGroupResponse:
		s := codeText(a.ErrorCode)
		for _, m := range a.Members {
			s += fmt.Sprintf(" [%s %s]", m.MemberID+text(m.InstanceID), codeText(m.ErrorCode))
		}
		return s
	case CommitAnswer:
		return codesText(a.Codes)
	case FetchAnswer:
		s := codeText(a.Code)
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				s += fmt.Sprintf(" %s/%d=%d", t.Topic, p.Partition, p.Offset)
				if p.Metadata != "" {
					s += fmt.Sprintf("%q", p.Metadata)
				}
				if p.Code != 0 {
					s += ":" + codeText(p.Code)
				}
			}
		}
		return s
	case kmsg.DescribeGroupsResponseGroup:
		s := fmt.Sprintf("%s %s type=%s protocol=%s", codeText(a.ErrorCode), a.State, a.ProtocolType, a.Protocol)
		for _, m := range a.Members {
			s += fmt.Sprintf(" [%s%s client=%s host=%s %s %s]", m.MemberID, text(m.InstanceID), m.ClientID, m.ClientHost,
				topicsText(m.ProtocolMetadata), assignmentText(m.MemberAssignment))
		}
		return s
	case []kmsg.ListGroupsResponseGroup:
		var s []string
		for _, g := range a {
			s = append(s, fmt.Sprintf("[%s %s %s %s]", g.Group, g.GroupState, g.GroupType, g.ProtocolType))
		}
		return strings.Join(s, " ")
	case ListFailed:
		return codeText(int16(a))
	case int16:
		return codeText(a)
	case DeleteOffsetsAnswer:
		s := codeText(a.Code)
		if a.Code == 0 {
			for _, cs := range a.Codes {
				s += " " + codesText(cs)
			}
		}
		return s
	}
	return fmt.Sprintf("%T?", answer)
}

func codesText(codes []int16) string {
	var s []string
	for _, c := range codes {
		s = append(s, codeText(c))
	}
	return strings.Join(s, " ")
}

func topicsText(metadata []byte) string {
	ts, err := subscription(metadata)
	if err != nil {
		return "-"
	}
	return strings.Join(ts, "+")
}

// assignmentText is what a member was assigned: most stories have short texts for it.
func assignmentText(b []byte) string {
	a := kmsg.NewConsumerMemberAssignment()
	if len(b) < 10 || a.ReadFrom(b) != nil {
		return fmt.Sprintf("%q", b)
	}
	var s []string
	for _, t := range a.Topics {
		s = append(s, fmt.Sprint(t.Topic, "/", t.Partitions))
	}
	if s == nil {
		return "nothing"
	}
	return strings.Join(s, " ")
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return "(" + *s + ")"
}

// recordText is a record of the log for a reader.
func recordText(r Record) string {
	if typeOf(kindOf(r.Key)) == shareType {
		return shareRecordText(r)
	}
	if typeOf(kindOf(r.Key)) == consumerType {
		return consumerRecordText(r)
	}
	e, ok, err := decode(r)
	switch {
	case err != nil || !ok:
		return fmt.Sprintf("%x: %v", r.Key, err)
	case e.offsetKey != nil && e.offsetValue == nil:
		return fmt.Sprintf("%s %s/%d gone", e.offsetKey.Group, e.offsetKey.Topic, e.offsetKey.Partition)
	case e.offsetKey != nil:
		return fmt.Sprintf("%s %s/%d=%d", e.offsetKey.Group, e.offsetKey.Topic, e.offsetKey.Partition, e.offsetValue.Offset)
	case e.groupValue == nil:
		return fmt.Sprintf("%s gone", e.groupKey.Group)
	}
	v := e.groupValue
	s := fmt.Sprintf("%s gen=%d", e.groupKey.Group, v.Generation)
	if v.Protocol != nil {
		s += " protocol=" + *v.Protocol
	}
	if v.Leader != nil {
		s += " leader=" + *v.Leader
	}
	for _, m := range v.Members {
		s += fmt.Sprintf(" [%s%s %s]", m.MemberID, text(m.InstanceID), assignmentText(m.Assignment))
	}
	return s
}
