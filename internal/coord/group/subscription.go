package group

import (
	"encoding/binary"
	"errors"
)

var errSubscription = errors.New("group: member metadata is not a consumer subscription: it ends before its list of topics does")

// subscription reads the topics out of a consumer's protocol metadata: an int16
// version and an array of strings, the beginning of every version of Kafka's
// ConsumerProtocolSubscription.
func subscription(b []byte) ([]string, error) {
	if len(b) < 6 {
		return nil, errSubscription
	}
	n := int(int32(binary.BigEndian.Uint32(b[2:])))
	b = b[6:]
	// A topic takes two bytes at least: a count beyond that is a lie.
	if n < 0 || n > len(b)/2 {
		return nil, errSubscription
	}
	topics := make([]string, 0, n)
	for range n {
		if len(b) < 2 {
			return nil, errSubscription
		}
		l := int(int16(binary.BigEndian.Uint16(b)))
		if l < 0 || l > len(b)-2 {
			return nil, errSubscription
		}
		topics = append(topics, string(b[2:2+l]))
		b = b[2+l:]
	}
	return topics, nil
}
