package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/cli"
)

type groupLine struct {
	Group string `json:"group"`
	State string `json:"state"`
	// Type is how the group shares out its work: classic, consumer (KIP-848) or
	// share (KIP-932); empty when the broker does not say (before Kafka 3.8).
	Type string `json:"type"`
	// Protocol is what its members use it for: consumer, connect, share; empty
	// when it has never had a member.
	Protocol    string `json:"protocol"`
	Coordinator int32  `json:"coordinator"`
}

func (a *app) groupListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List groups of all types: classic, consumer and share",
		Example: "  leat group list -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(ctx context.Context, cl *kgo.Client) error {
				lines, err := listGroups(ctx, cl)
				if err != nil {
					return err
				}
				return a.out.Write(lines, func(w io.Writer) error {
					t := cli.NewTable(w, "GROUP", "STATE", "TYPE", "PROTOCOL", "COORDINATOR")
					for _, l := range lines {
						t.Row(l.Group, l.State, l.Type, l.Protocol, l.Coordinator)
					}
					return t.Flush()
				})
			})
		},
	}
}

// listGroups asks every broker for its groups. It does so itself because kadm
// leaves out the type.
func listGroups(ctx context.Context, cl *kgo.Client) ([]groupLine, error) {
	lines := []groupLine{}
	var failed []error
	for _, shard := range cl.RequestSharded(ctx, kmsg.NewPtrListGroupsRequest()) {
		if shard.Err != nil {
			failed = append(failed, shard.Err)
			continue
		}
		resp := shard.Resp.(*kmsg.ListGroupsResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			failed = append(failed, brokerError(err, ""))
			continue
		}
		for _, g := range resp.Groups {
			lines = append(lines, groupLine{g.Group, g.GroupState, strings.ToLower(g.GroupType), g.ProtocolType, shard.Meta.NodeID})
		}
	}
	slices.SortFunc(lines, func(x, y groupLine) int { return strings.Compare(x.Group, y.Group) })
	return lines, errors.Join(failed...)
}
