package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ShareHeartbeat is a ShareGroupHeartbeat request. Answer:
// *kmsg.ShareGroupHeartbeatResponse, when what it changed is durable.
type ShareHeartbeat struct {
	Token  Token
	Client Client
	Req    *kmsg.ShareGroupHeartbeatRequest
}

// DescribeShare asks for one share group. Answer:
// kmsg.ShareGroupDescribeResponseGroup.
type DescribeShare struct {
	Token Token
	Group string
}

// MakeShare makes a share group without members, if there is none: an administrator
// sets where it is to begin. Answer: int16, an error code, when it is durable; one that
// has members is NON_EMPTY_GROUP. Check only tells what the answer would be.
type MakeShare struct {
	Token Token
	Group string
	Check bool
}

func (MakeShare) event()      {}
func (ShareHeartbeat) event() {}
func (DescribeShare) event()  {}

// ShareSettings are the settings of one share group.
type ShareSettings struct {
	// Session is after how long a member that is not heard of is removed.
	// share.session.timeout.ms.
	Session time.Duration
	// Heartbeat is how often members are told to send heartbeats.
	// share.heartbeat.interval.ms.
	Heartbeat time.Duration
}
