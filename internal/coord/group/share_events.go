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
