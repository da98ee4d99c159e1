package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/ledger"
)

// What all coordinators have: the caller's handle of a request, the answer to it, a note
// for the operator (why a group rebalances, who was removed), a record of
// __consumer_offsets.
type (
	Token  = ledger.Token
	Reply  = ledger.Reply
	Note   = ledger.Note
	Record = ledger.Record
)

// Event is what goes into Step: a request, or news about the log or the time.
type Event interface{ event() }

// Client says who sent a join: describes show it.
type Client struct{ ID, Host string }

// Join is a JoinGroup request. Answer: *kmsg.JoinGroupResponse, when the
// rebalance that it takes part in is through.
type Join struct {
	Token  Token
	Client Client
	Req    *kmsg.JoinGroupRequest
}

// Sync is a SyncGroup request. Answer: *kmsg.SyncGroupResponse, when the
// leader's assignment is durable.
type Sync struct {
	Token Token
	Req   *kmsg.SyncGroupRequest
}

// Heartbeat is a Heartbeat request. Answer: *kmsg.HeartbeatResponse.
type Heartbeat struct {
	Token Token
	Req   *kmsg.HeartbeatRequest
}

// Leave is a LeaveGroup request. Answer: *kmsg.LeaveGroupResponse.
type Leave struct {
	Token Token
	Req   *kmsg.LeaveGroupRequest
}

// ConsumerHeartbeat is a ConsumerGroupHeartbeat request. Answer:
// *kmsg.ConsumerGroupHeartbeatResponse, when what it changed is durable.
type ConsumerHeartbeat struct {
	Token  Token
	Client Client
	Req    *kmsg.ConsumerGroupHeartbeatRequest
}

// DescribeConsumer asks for one consumer group. Answer:
// kmsg.ConsumerGroupDescribeResponseGroup.
type DescribeConsumer struct {
	Token Token
	Group string
}

// Commit stores offsets. Answer: CommitAnswer, when they are durable.
type Commit struct {
	Token      Token
	Group      string
	MemberID   string
	InstanceID *string
	Generation int32 // -1: a consumer or an admin without membership
	// Version is the version of the OffsetCommit request: older ones know fewer
	// errors.
	Version int16
	// RetentionMillis is how long the offsets shall be kept (requests v2 to v4);
	// -1 means the broker's setting.
	RetentionMillis int64
	Offsets         []CommitOffset
}

// CommitOffset is one partition's offset to store.
type CommitOffset struct {
	Topic     string
	TopicID   [16]byte // zero when the caller does not know it
	Partition int32
	Offset    int64
	// LeaderEpoch of the last record consumed, -1 when not known.
	LeaderEpoch int32
	Metadata    string
}

// CommitAnswer has an error code for each of the Commit's Offsets.
type CommitAnswer struct{ Codes []int16 }

// FetchOffsets asks for committed offsets. Answer: FetchAnswer.
type FetchOffsets struct {
	Token Token
	Group string
	// MemberID and MemberEpoch say which member of a consumer group asks (v9); nil and
	// -1 for an administrator, or a client that does not say.
	MemberID    *string
	MemberEpoch int32
	// All asks for every offset of the group, instead of those in Topics.
	All    bool
	Topics []TopicPartitions
	// Stable: an offset that a transaction is about to replace is not told
	// (UNSTABLE_OFFSET_COMMIT, KIP-447).
	Stable bool
}

// TopicPartitions names partitions of a topic.
type TopicPartitions struct {
	Topic      string
	Partitions []int32
}

// FetchAnswer has every partition that was asked for, in that order; with All,
// the group's, sorted. Code is the request's own error, 0 as a rule: an unknown
// group has no offsets, and that is no error.
type FetchAnswer struct {
	Code   int16
	Topics []FetchedTopic
}

// FetchedTopic is a topic of a FetchAnswer.
type FetchedTopic struct {
	Topic      string
	Partitions []FetchedOffset
}

// FetchedOffset is a committed offset; Offset is -1 when there is none.
type FetchedOffset struct {
	Partition   int32
	Offset      int64
	LeaderEpoch int32
	Metadata    string
	Code        int16
}

// Describe asks for one group. Answer: kmsg.DescribeGroupsResponseGroup.
type Describe struct {
	Token   Token
	Group   string
	Version int16 // of the DescribeGroups request
}

// List asks for the groups in any of States and of any of Types (both without
// regard to case; empty means all). Answer: []kmsg.ListGroupsResponseGroup,
// sorted by group id.
type List struct {
	Token         Token
	States, Types []string
}

// DeleteGroup removes an empty group with its offsets. Answer: int16, the error
// code, when it is durable.
type DeleteGroup struct {
	Token Token
	Group string
}

// DeleteOffsets removes offsets of a group. Answer: DeleteOffsetsAnswer, when
// it is durable.
type DeleteOffsets struct {
	Token  Token
	Group  string
	Topics []TopicPartitions
}

// DeleteOffsetsAnswer has the request's own error code, or one per partition in
// the order asked.
type DeleteOffsetsAnswer struct {
	Code  int16
	Codes [][]int16
}

// TopicGone says that a topic was deleted: its offsets go, too, in every group.
// ID is the deleted topic's; offsets that were committed for another topic of
// that name stay. It has no answer.
type TopicGone struct {
	Topic string
	ID    [16]byte
}

// TopicsChanged says that the topics called Names (sorted) were made, deleted or got
// more partitions. Now is what there is since then. It has no answer.
type TopicsChanged struct {
	Now   Topics
	Names []string
}

// Appended reports what became of a Write: nil when it is in the log (but not
// yet durable), else why it was refused.
type Appended struct {
	ID  uint64
	Err error
}

// Durable reports that the Writes up to ID are on disk, or that the flush
// failed for good.
type Durable struct {
	ID  uint64
	Err error
}

// Tick tells the time.
type Tick struct{}

func (Join) event()              {}
func (Sync) event()              {}
func (Heartbeat) event()         {}
func (Leave) event()             {}
func (Commit) event()            {}
func (FetchOffsets) event()      {}
func (Describe) event()          {}
func (List) event()              {}
func (DeleteGroup) event()       {}
func (DeleteOffsets) event()     {}
func (TopicGone) event()         {}
func (ConsumerHeartbeat) event() {}
func (DescribeConsumer) event()  {}
func (TopicsChanged) event()     {}
func (Appended) event()          {}
func (Durable) event()           {}
func (Tick) event()              {}

// Effects is what a Step asks of its caller; see the package comment.
type Effects struct {
	Writes  []Write
	Replies []Reply
	Notes   []Note
	// Placed is the ID that stands for what a TxnEnd has reported; else 0.
	Placed uint64
}

// Write is records to append to the log, all or none. IDs rise.
type Write struct {
	ID      uint64
	Records []Record
	// Producer, when not nil, is whose transaction the records belong to.
	Producer *Producer
	// Places, when not "", is the share group that is deleted: where it stands in
	// partitions goes with the records, in the same append.
	Places string
}
