package catalog

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// maxTopicName leaves room for "-<partition>" and a suffix in a file name of 255.
const maxTopicName = 249

// CheckTopicName returns nil or a Refusal with INVALID_TOPIC_EXCEPTION, in Kafka's
// words.
func CheckTopicName(name string) error {
	bad := func(format string, args ...any) error {
		return Refuse(kerr.InvalidTopicException, "Topic name is invalid: "+format, args...)
	}
	switch {
	case name == "":
		return bad("the empty string is not allowed")
	case name == "." || name == "..":
		return bad("'%s' is not allowed", name)
	case len(name) > maxTopicName:
		return bad("the length of '%s' is longer than the max allowed length %d", name, maxTopicName)
	case strings.IndexFunc(name, notInName) >= 0:
		return bad("'%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
	}
	return nil
}

func notInName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		return false
	}
	return true
}

// CollisionKey is equal for names that Kafka's metric names cannot tell apart: '.'
// and '_' are one there, so two such topics may not exist side by side.
func CollisionKey(name string) string { return strings.ReplaceAll(name, ".", "_") }

// Names of the topics that hold the broker's own state.
const (
	OffsetsTopic      = "__consumer_offsets"
	TransactionsTopic = "__transaction_state"
	ShareStateTopic   = "__share_group_state"
)

// InternalTopic reports whether the name is that of a topic of the broker's own
// state, which no client may write to or delete.
func InternalTopic(name string) bool {
	return name == OffsetsTopic || name == TransactionsTopic || name == ShareStateTopic
}
