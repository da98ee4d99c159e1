package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/cli"
)

type groupDescription struct {
	Group       string         `json:"group"`
	Type        string         `json:"type"` // classic, consumer or share
	State       string         `json:"state"`
	Protocol    string         `json:"protocol"`
	Coordinator int32          `json:"coordinator"`
	Members     []memberLine   `json:"members"`
	Lag         int64          `json:"lag"`
	Partitions  []groupLagLine `json:"partitions"`
	Error       string         `json:"error,omitempty"`
}

type memberLine struct {
	Member   string `json:"member"`
	Instance string `json:"instance,omitempty"`
	Client   string `json:"client"`
	Host     string `json:"host"`
}

type groupLagLine struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"` // -1: nothing committed yet
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
	Member    string `json:"member,omitempty"`
	Error     string `json:"error,omitempty"`
}

func (a *app) groupDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "describe GROUP...",
		Short:   "Show a group's members, committed offsets and lag",
		Example: "  leat group describe support.mood\n  leat group describe support.mood -o json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.describeGroups(ctx, adm, args)
			})
		},
	}
}

func (a *app) describeGroups(ctx context.Context, adm *kadm.Client, groups []string) error {
	lags, err := adm.Lag(ctx, slices.Clone(groups)...) // kadm reuses the slice
	if err != nil {
		return err
	}
	var items cli.Items
	found := []groupDescription{}
	for _, name := range groups {
		l, ok := lags[name]
		d := groupDescription{Group: name, Members: []memberLine{}, Partitions: []groupLagLine{}}
		err := l.Error()
		if ok && (isNoSuchGroup(l.DescribeErr) || err == nil && len(l.Members) == 0 && l.State != "Empty") {
			if g, is := consumerGroup(ctx, adm, name); is {
				d.Error = items.Add(brokerError(d.fillConsumer(ctx, adm, g), ""))
				found = append(found, d)
				continue
			}
			if g, is := shareGroup(ctx, adm, name); is {
				d.Error = items.Add(brokerError(d.fillShare(ctx, adm, g), ""))
				found = append(found, d)
				continue
			}
		}
		switch {
		case !ok:
			err = errNoAnswer
		case err == nil && l.State == "Dead" && len(l.Lag) == 0:
			err = errors.New("there is no such group; `leat group list` shows those there are")
		case err == nil:
			d.fill(l)
		}
		d.Error = items.Add(brokerError(err, ""))
		found = append(found, d)
	}
	err = a.out.Write(found, func(w io.Writer) error {
		for i, d := range found {
			if d.Error != "" {
				fmt.Fprintf(a.Err, "%s: %s\n", d.Group, d.Error)
				continue
			}
			if i > 0 {
				fmt.Fprintln(w)
			}
			if err := d.table(w); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, items.Err("groups"))
}

func (d *groupDescription) fill(l kadm.DescribedGroupLag) {
	d.Type = classicType
	d.State, d.Protocol, d.Coordinator, d.Lag = l.State, l.Protocol, l.Coordinator.NodeID, l.Lag.Total()
	for _, m := range l.Members {
		line := memberLine{Member: m.MemberID, Client: m.ClientID, Host: m.ClientHost}
		if m.InstanceID != nil {
			line.Instance = *m.InstanceID
		}
		d.Members = append(d.Members, line)
	}
	for _, p := range l.Lag.Sorted() {
		line := groupLagLine{Topic: p.Topic, Partition: p.Partition, Committed: p.Commit.At, Start: p.Start.Offset, End: p.End.Offset, Lag: p.Lag}
		if p.Member != nil {
			line.Member = p.Member.MemberID
		}
		if p.Err != nil {
			line.Error = p.Err.Error()
		}
		d.Partitions = append(d.Partitions, line)
	}
}

func (d *groupDescription) table(w io.Writer) error {
	fmt.Fprintf(w, "%s  %s, %s, %s, lag %d\n", d.Group, d.Type, d.State, cli.Count(len(d.Members), "member"), d.Lag)
	t := cli.NewTable(w, "TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "ERROR")
	for _, p := range d.Partitions {
		t.Row(p.Topic, p.Partition, p.Committed, p.End, p.Lag, p.Member, p.Error)
	}
	if err := t.Flush(); err != nil || len(d.Members) == 0 {
		return err
	}
	m := cli.NewTable(w, "MEMBER", "INSTANCE", "CLIENT", "HOST")
	for _, x := range d.Members {
		m.Row(x.Member, x.Instance, x.Client, x.Host)
	}
	return m.Flush()
}

func isNoSuchGroup(err error) bool {
	return errors.Is(err, kerr.GroupIDNotFound)
}

// sortPlaces orders what a command says about partitions.
func sortPlaces[T any](lines []T, place func(T) (string, int32)) {
	slices.SortFunc(lines, func(x, y T) int {
		tx, px := place(x)
		ty, py := place(y)
		if c := strings.Compare(tx, ty); c != 0 {
			return c
		}
		return int(px - py)
	})
}
