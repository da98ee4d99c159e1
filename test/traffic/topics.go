package traffic

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicIDs asks the broker itself which of the topics it has now; none named =
// all. (The client's own answers may be as old as its metadata.)
func TopicIDs(ctx context.Context, cl *kgo.Client, topics ...string) (map[string][16]byte, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	ids := map[string][16]byte{}
	for _, t := range resp.Topics {
		switch err := kerr.ErrorForCode(t.ErrorCode); err {
		case nil:
			ids[*t.Topic] = t.TopicID
		case kerr.UnknownTopicOrPartition:
		default:
			return nil, fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
	}
	return ids, nil
}
