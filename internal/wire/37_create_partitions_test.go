package wire

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Gotcha 9: CreatePartitions echoes its topics, those without an error too.
func TestCreatePartitionsEchoesTopics(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	versions(t, 37, func(t *testing.T, version int16) {
		name := fmt.Sprint("t", version)
		b.makeTopics(c, name)
		for _, validateOnly := range []bool{true, false} {
			req := kmsg.NewPtrCreatePartitionsRequest()
			req.ValidateOnly = validateOnly
			for _, x := range []struct {
				topic string
				count int32
			}{{name, 3}, {"nosuch", 3}, {"twice", 1}, {"twice", 2}} {
				rt := kmsg.NewCreatePartitionsRequestTopic()
				rt.Topic, rt.Count = x.topic, x.count
				req.Topics = append(req.Topics, rt)
			}
			var got []string
			for _, rt := range ask[*kmsg.CreatePartitionsResponse](c, req, version).Topics {
				got = append(got, rt.Topic+" "+says(rt.ErrorCode, nil))
			}
			if want := []string{name + " ok", "nosuch UNKNOWN_TOPIC_OR_PARTITION", "twice INVALID_REQUEST"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if has, want := b.broker.Partition(name, 2) != nil, !validateOnly; has != want {
				t.Errorf("validate only %v: partition 2 is there: %v", validateOnly, has)
			}
		}
	})
}

// An assignment of no partition is one of the wrong length; none at all leaves it to the
// broker.
func TestCreatePartitionsWithAnEmptyAssignment(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	versions(t, 37, func(t *testing.T, version int16) {
		name := fmt.Sprint("t", version)
		b.makeTopics(c, name)
		for _, x := range []struct {
			assignment []kmsg.CreatePartitionsRequestTopicAssignment
			want       string
		}{{[]kmsg.CreatePartitionsRequestTopicAssignment{}, "INVALID_REPLICA_ASSIGNMENT"}, {nil, "ok"}} {
			req := kmsg.NewPtrCreatePartitionsRequest()
			rt := kmsg.NewCreatePartitionsRequestTopic()
			rt.Topic, rt.Count, rt.Assignment = name, 3, x.assignment
			req.Topics = append(req.Topics, rt)
			if got := says(ask[*kmsg.CreatePartitionsResponse](c, req, version).Topics[0].ErrorCode, nil); got != x.want {
				t.Errorf("assignment %v: %s, want %s", x.assignment, got, x.want)
			}
		}
	})
}
