package group

import "time"

// Config are the broker's settings of groups. Kafka's name of each in
// its comment.
type Config struct {
	// MinSessionTimeout and MaxSessionTimeout bound what a member may ask for;
	// outside of them a join answers INVALID_SESSION_TIMEOUT.
	// group.min.session.timeout.ms, group.max.session.timeout.ms.
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// InitialRebalanceDelay is how long the first rebalance of an empty group
	// waits for more members; each new one extends it, up to the rebalance
	// timeout. group.initial.rebalance.delay.ms.
	InitialRebalanceDelay time.Duration
	// MaxSize is how many members a group may have. group.max.size.
	MaxSize int
	// OffsetMetadataMaxSize bounds the metadata string of a commit.
	// offset.metadata.max.bytes, which counts UTF-16 units all the same, as Java
	// does.
	OffsetMetadataMaxSize int
	// MaxWriteBytes bounds what a commit or an assignment may add to the log; 0 is
	// no bound. max.message.bytes of __consumer_offsets.
	MaxWriteBytes int
	// OffsetsRetention is how long offsets are kept: counted from when the group
	// became empty, or from the commit for groups without members of their own
	// and for topics that nobody in the group reads any more.
	// offsets.retention.minutes.
	OffsetsRetention time.Duration
	// OffsetsRetentionCheckInterval is how often expired offsets are looked for.
	// offsets.retention.check.interval.ms.
	OffsetsRetentionCheckInterval time.Duration
	// NewMemberJoinTimeout ends the join of a new member that takes this long:
	// it may have gone without anybody noticing. Kafka has 5 minutes, fixed.
	NewMemberJoinTimeout time.Duration
	// ConsumerAssignors are the assignors that members of consumer groups may ask for,
	// known names all; the first is for members that do not ask.
	// group.consumer.assignors.
	ConsumerAssignors []string
	// ConsumerMaxSize is how many members a consumer group may have.
	// group.consumer.max.size.
	ConsumerMaxSize int
	// ConsumerUpgrade and ConsumerDowngrade let a classic group with members become a
	// consumer group, and back. group.consumer.migration.policy.
	ConsumerUpgrade, ConsumerDowngrade bool
	// Consumer tells a consumer group's settings. They may change from one Step to the
	// next.
	Consumer func(group string) ConsumerSettings
	// ShareMaxSize is how many members a share group may have; 0: no limit.
	// group.share.max.size.
	ShareMaxSize int
	// Share tells a share group's settings; nil is Kafka's defaults. They may change
	// from one Step to the next.
	Share func(group string) ShareSettings
	// NewID makes member ids unique: it is called once per new member and must
	// never give the same text twice, also after a restart.
	NewID func() string
}

// ConsumerSettings are the settings of one consumer group.
type ConsumerSettings struct {
	// Session is after how long a member that is not heard of is removed.
	// consumer.session.timeout.ms.
	Session time.Duration
	// Heartbeat is how often members are told to send heartbeats.
	// consumer.heartbeat.interval.ms.
	Heartbeat time.Duration
	// Assignment is how long after an assignment the next is made, at the earliest.
	// consumer.assignment.interval.ms.
	Assignment time.Duration
}

// DefaultConfig is Kafka's defaults. NewID is left to the caller.
func DefaultConfig() Config {
	return Config{
		MinSessionTimeout:             6 * time.Second,
		MaxSessionTimeout:             30 * time.Minute,
		InitialRebalanceDelay:         3 * time.Second,
		MaxSize:                       1<<31 - 1,
		OffsetMetadataMaxSize:         4096,
		OffsetsRetention:              7 * 24 * time.Hour,
		OffsetsRetentionCheckInterval: 10 * time.Minute,
		NewMemberJoinTimeout:          5 * time.Minute,
		ConsumerAssignors:             []string{"uniform", "range"},
		ConsumerMaxSize:               1<<31 - 1,
		ConsumerUpgrade:               true,
		ConsumerDowngrade:             true,
		Consumer: func(string) ConsumerSettings {
			return ConsumerSettings{Session: 45 * time.Second, Heartbeat: 5 * time.Second, Assignment: time.Second}
		},
	}
}
