package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/cli"
)

// configured is a kind of thing that has configs of its own.
type configured struct {
	noun     string // as the commands call it
	resource kmsg.ConfigResourceType
	source   kmsg.ConfigSource // of a value that was set on the thing itself
	// one is a config with a value to set, several are arguments of get, drop is one to give back.
	one, several, drop string
}

var (
	topicConfig = configured{noun: "topic", resource: kmsg.ConfigResourceTypeTopic, source: kmsg.ConfigSourceDynamicTopicConfig,
		one: "orders cleanup.policy=compact", several: "orders cleanup.policy retention.ms", drop: "orders --unset retention.ms"}
	groupConfig = configured{noun: "group", resource: kmsg.ConfigResourceTypeGroupConfig, source: kmsg.ConfigSourceGroupConfig,
		one: "queue share.auto.offset.reset=earliest", several: "queue share.delivery.count.limit", drop: "queue --unset share.auto.offset.reset"}
)

// configCommand makes the commands for the configs of one kind of things.
func (a *app) configCommand(k configured) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Read and change a " + k.noun + "'s configs",
		Example: fmt.Sprintf("  leat %[1]s config get %[2]s\n  leat %[1]s config set %[3]s", k.noun, k.several, k.one),
	}
	cmd.AddCommand(a.configGetCommand(k), a.configSetCommand(k))
	return cmd
}

func (a *app) configGetCommand(k configured) *cobra.Command {
	thing, _, _ := strings.Cut(k.several, " ")
	return &cobra.Command{
		Use:     "get " + strings.ToUpper(k.noun) + " [NAME...]",
		Short:   "Show all configs of a " + k.noun + ", or those named, with where the values come from",
		Example: fmt.Sprintf("  leat %[1]s config get %[2]s\n  leat %[1]s config get %[3]s -o json", k.noun, thing, k.several),
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(ctx context.Context, cl *kgo.Client) error {
				all, err := describeConfigs(ctx, cl, k, args[0])
				if err != nil {
					return fmt.Errorf("%s %s: %w", k.noun, args[0], brokerError(err, ""))
				}
				picked, err := k.pick(all, args[1:])
				if err != nil {
					return err
				}
				return a.out.Write(picked, func(w io.Writer) error { return configTable(w, picked, "") })
			})
		},
	}
}

// pick returns the named configs in the order they were named, or all.
func (k configured) pick(all []configDescription, names []string) ([]configDescription, error) {
	if len(names) == 0 {
		return all, nil
	}
	var picked []configDescription
	for _, n := range names {
		i := slices.IndexFunc(all, func(c configDescription) bool { return c.Name == n })
		if i < 0 {
			return nil, fmt.Errorf("the broker knows no %s config %q", k.noun, n)
		}
		picked = append(picked, all[i])
	}
	return picked, nil
}

func (a *app) configSetCommand(k configured) *cobra.Command {
	var unset []string
	var dryRun bool
	cmd := &cobra.Command{
		Use:     "set " + strings.ToUpper(k.noun) + " NAME=VALUE...",
		Short:   "Change configs of a " + k.noun,
		Example: fmt.Sprintf("  leat %[1]s config set %[2]s\n  leat %[1]s config set %[3]s", k.noun, k.one, k.drop),
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := pairs("config", args[1:])
			if err != nil {
				return err
			}
			if len(set)+len(unset) == 0 {
				return cli.Usagef("nothing to change: want NAME=VALUE or --unset NAME")
			}
			return a.withClient(cmd.Context(), func(ctx context.Context, cl *kgo.Client) error {
				return a.setConfigs(ctx, cl, k, args[0], set, unset, dryRun)
			})
		},
	}
	cmd.Flags().StringArrayVar(&unset, "unset", nil, "give a config back to the broker's default; may be repeated")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "let the broker check, change nothing")
	return cmd
}

func (a *app) setConfigs(ctx context.Context, cl *kgo.Client, k configured, name string, set [][2]string, unset []string, dryRun bool) error {
	changes := len(set) + len(unset)
	done := cli.Count(changes, "config") + " changed"
	if dryRun {
		done = cli.Count(changes, "config") + " would be changed"
	}
	if err := alterConfigs(ctx, cl, k, name, set, unset, dryRun); err != nil {
		return fmt.Errorf("%s %s: %w", k.noun, name, err)
	}
	return a.out.Write([]map[string]string{{k.noun: name, "done": done}}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s\n", name, done)
		return err
	})
}

// The configs of groups are not in kadm, so that both kinds are asked for by their requests.

func alterConfigs(ctx context.Context, cl *kgo.Client, k configured, name string, set [][2]string, unset []string, dryRun bool) error {
	const setOp, deleteOp = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = k.resource, name
	change := func(op kmsg.IncrementalAlterConfigOp, name string, value *string) {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op, c.Value = name, op, value
		resource.Configs = append(resource.Configs, c)
	}
	for _, c := range set {
		change(setOp, c[0], &c[1])
	}
	for _, n := range unset {
		change(deleteOp, n, nil)
	}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.ValidateOnly = dryRun
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	if len(resp.Resources) != 1 {
		return errNoAnswer
	}
	return brokerError(kerr.ErrorForCode(resp.Resources[0].ErrorCode), wordsOf(resp.Resources[0].ErrorMessage))
}

// describeConfigs returns all configs of one thing by name.
func describeConfigs(ctx context.Context, cl *kgo.Client, k configured, name string) ([]configDescription, error) {
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = k.resource, name
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return []configDescription{}, err
	}
	if len(resp.Resources) != 1 {
		return []configDescription{}, errNoAnswer
	}
	r := resp.Resources[0]
	if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
		return []configDescription{}, brokerError(err, wordsOf(r.ErrorMessage))
	}
	out := []configDescription{}
	for _, c := range r.Configs {
		out = append(out, configDescription{Name: c.Name, Value: c.Value, Secret: c.IsSensitive, Source: k.sourceName(c.Source)})
	}
	slices.SortFunc(out, func(x, y configDescription) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

// errNoAnswer is for a thing that a request named and its response does not.
var errNoAnswer = errors.New("the broker did not answer for it")

// wordsOf is a text of the protocol, which may be missing.
func wordsOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// configDescription is one config with where its value comes from.
type configDescription struct {
	Name   string  `json:"name"`
	Value  *string `json:"value"` // null when the broker keeps it secret, or there is none
	Secret bool    `json:"secret,omitempty"`
	Source string  `json:"source"`
}

// sourceName is where a config's value comes from, in words of these commands:
// the thing itself, the default, or a broker's config that stands in.
func (k configured) sourceName(s kmsg.ConfigSource) string {
	switch s {
	case k.source:
		return k.noun
	case kmsg.ConfigSourceDefaultConfig:
		return "default"
	}
	return "broker"
}

// configTable writes the configs of one source, or with "" all.
func configTable(w io.Writer, configs []configDescription, source string) error {
	t := cli.NewTable(w, "CONFIG", "VALUE", "SOURCE")
	for _, c := range configs {
		if source != "" && c.Source != source {
			continue
		}
		value := wordsOf(c.Value)
		if c.Secret {
			value = "(secret)"
		}
		t.Row(c.Name, value, c.Source)
	}
	return t.Flush()
}
