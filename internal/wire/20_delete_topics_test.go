package wire

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDeleteTopicsVersions(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	versions(t, 20, func(t *testing.T, version int16) {
		b.makeTopics(c, "name", "id", "twice")
		req := kmsg.NewPtrDeleteTopicsRequest()
		names := []string{"name", "nosuch", "twice", "twice"}
		for _, name := range names {
			if version < 6 {
				req.TopicNames = append(req.TopicNames, name)
				continue
			}
			rt := kmsg.NewDeleteTopicsRequestTopic()
			rt.Topic = &name
			req.Topics = append(req.Topics, rt)
		}
		want := []string{"name ok", "nosuch UNKNOWN_TOPIC_OR_PARTITION", "twice INVALID_REQUEST"}
		if version >= 6 {
			byID, unknown, neither, both := kmsg.NewDeleteTopicsRequestTopic(), kmsg.NewDeleteTopicsRequestTopic(), kmsg.NewDeleteTopicsRequestTopic(), kmsg.NewDeleteTopicsRequestTopic()
			byID.TopicID = b.broker.Catalog.Snapshot().Topic("id").ID
			unknown.TopicID = [16]byte{9, 9}
			both.Topic, both.TopicID = kmsg.StringPtr("x"), [16]byte{9}
			req.Topics = append(req.Topics, byID, unknown, neither, both)
			want = append(want, "id ok", "<null> UNKNOWN_TOPIC_ID", "<null> INVALID_REQUEST", "x INVALID_REQUEST")
		}
		var got []string
		for _, rt := range ask[*kmsg.DeleteTopicsResponse](c, req, version).Topics {
			name := "<null>"
			if rt.Topic != nil {
				name = *rt.Topic
			}
			got = append(got, name+" "+says(rt.ErrorCode, nil))
			if version >= 5 && (rt.ErrorMessage == nil) != (rt.ErrorCode == 0) {
				t.Errorf("%s: message %v with code %d", name, rt.ErrorMessage, rt.ErrorCode)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		var left []string
		for _, topic := range b.broker.Catalog.Snapshot().Topics() {
			left = append(left, topic.Name)
		}
		b.broker.DeleteTopics(b.broker.Catalog.Snapshot().Topics(), nil)
		if version >= 6 && !slices.Equal(left, []string{"twice"}) || version < 6 && !slices.Equal(left, []string{"id", "twice"}) {
			t.Errorf("left: %q", left)
		}
	})
}
