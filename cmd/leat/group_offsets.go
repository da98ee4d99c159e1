package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/worker"
)

// Types of groups, as ListGroups (v5) has them.
const (
	classicType  = "classic"
	consumerType = "consumer"
	shareType    = "share"
)

// standing is what must be known of a group before its offsets are changed.
type standing struct {
	kind    string // classic, consumer or share; empty when there is no such group
	state   string
	members int
}

// lookUp finds a group, whatever its type. One that is not there is no error.
func lookUp(ctx context.Context, adm *kadm.Client, group string) (standing, error) {
	described, err := adm.DescribeGroups(ctx, group)
	if err != nil {
		return standing{}, err
	}
	g, err := described.On(group, nil)
	if err == nil {
		err = g.Err
	}
	switch {
	case err == nil && (len(g.Members) > 0 || g.State == "Empty"):
		return standing{classicType, g.State, len(g.Members)}, nil
	case err != nil && !isNoSuchGroup(err):
		return standing{}, brokerError(err, "")
	}
	// Those of other types are Dead, or not there, for the request of the classic one.
	if c, ok := consumerGroup(ctx, adm, group); ok {
		return standing{consumerType, c.State, len(c.Members)}, nil
	}
	if s, ok := shareGroup(ctx, adm, group); ok {
		return standing{shareType, s.GroupState, len(s.Members)}, nil
	}
	return standing{}, nil
}

// membersGone returns the type of a group that has no members: only then may it be
// moved or deleted. mayBeNew also allows a group that is not there yet, which has none.
func membersGone(ctx context.Context, adm *kadm.Client, group string, mayBeNew bool) (string, error) {
	g, err := lookUp(ctx, adm, group)
	switch {
	case err != nil:
		return "", err
	case g.kind == "" && !mayBeNew:
		return "", brokerError(kerr.GroupIDNotFound, "")
	case g.members > 0:
		return "", fmt.Errorf("has %s (state %s): stop them first", cli.Count(g.members, "member"), g.state)
	}
	return g.kind, nil
}

// committedOffsets returns what a group of any type has committed; of a share
// group that is where the records begin that it is not done with. It is empty for a
// group that is not there.
func committedOffsets(ctx context.Context, adm *kadm.Client, group string) (kadm.OffsetResponses, error) {
	committed, err := worker.Committed(ctx, adm, group)
	if err != nil || len(committed) > 0 {
		return committed, err
	}
	if _, is := shareGroup(ctx, adm, group); !is {
		return nil, nil
	}
	described, err := adm.DescribeShareGroupOffsets(ctx, group)
	if err == nil {
		err = described[group].Err
	}
	if err != nil {
		return nil, fmt.Errorf("reading the offsets of group %s: %w", group, err)
	}
	committed = kadm.OffsetResponses{}
	for _, p := range described[group].Offsets.Sorted() {
		o := kadm.OffsetResponse{Offset: kadm.Offset{Topic: p.Topic, Partition: p.Partition, At: p.StartOffset, LeaderEpoch: p.LeaderEpoch}, Err: p.Err}
		put(committed, p.Topic, p.Partition, o)
	}
	return committed, nil
}

// moveOffsets moves a group of a type to offsets; the function it returns tells what
// became of one partition.
func moveOffsets(ctx context.Context, adm *kadm.Client, group, kind string, to kadm.Offsets) (func(topic string, partition int32) error, error) {
	if kind == shareType {
		answers, err := adm.AlterShareGroupOffsets(ctx, group, to)
		return func(topic string, partition int32) error { return answered(answers.Lookup(topic, partition)) }, err
	}
	answers, err := adm.CommitOffsets(ctx, group, to)
	return func(topic string, partition int32) error {
		r, ok := answers.Lookup(topic, partition)
		return answered(r.Err, ok)
	}, err
}

// forgetOffsets takes offsets from a group of a type, of a share group those of whole
// topics; the function it returns tells what became of one partition.
func forgetOffsets(ctx context.Context, adm *kadm.Client, group, kind string, places kadm.TopicsSet) (func(topic string, partition int32) error, error) {
	if kind == shareType {
		answers, err := adm.DeleteShareGroupOffsets(ctx, group, places.Topics()...)
		return func(topic string, _ int32) error { return answered(answers.Lookup(topic)) }, err
	}
	answers, err := adm.DeleteOffsets(ctx, group, places)
	return func(topic string, partition int32) error { return answered(answers.Lookup(topic, partition)) }, err
}

func answered(err error, ok bool) error {
	if !ok {
		return errNoAnswer
	}
	return brokerError(err, "")
}
