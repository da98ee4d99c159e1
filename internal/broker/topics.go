package broker

// How the catalogue changes. Each change is one unit of the store: the catalogue's
// record together with the logs that are created or deleted. It is visible when it
// is durable, never before; after a crash it has happened whole or not at all.
// Changes are made one after the other (Broker.changing). The methods here and in
// topics_*.go return when the change is visible, and may be called from any
// goroutine.

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// unit is one change with what must happen together with it.
type unit struct {
	change catalog.Change
	ops    []plog.Op
	logs   []*plog.Log // the new ones, set by commit
}

// commit makes units durable, each for itself all or nothing, with one wait for
// all. It returns an error for each; those without are to be applied. The wait
// has no deadline: what was submitted may be durable at any moment, and must then
// be seen.
func (b *Broker) commit(units []*unit) []error {
	errs := make([]error, len(units))
	var last plog.Pos
	for i, u := range units {
		record := kafka.Build(kafka.BatchSpec{}, []kafka.Record{u.change.Record(b.now().UnixMilli())})
		release := b.Store.AwaitReserve(len(record) + commitBytes*len(u.ops))
		results, pos, err := b.Store.Submit(append([]plog.Op{plog.Append(b.catalog, record)}, u.ops...)...)
		release()
		if err != nil {
			errs[i] = err
			continue
		}
		last = max(last, pos)
		for _, r := range results[1:] {
			u.logs = append(u.logs, r.Log)
		}
	}
	err := b.Store.Wait(context.Background(), last)
	for i := range errs {
		errs[i] = errors.Join(errs[i], err)
	}
	return errs
}

// show makes what commit made durable visible, all at once.
func (b *Broker) show(units []*unit, errs []error) {
	var changes []catalog.Change
	for i, u := range units {
		if errs[i] == nil {
			changes = append(changes, u.change)
		}
	}
	if len(changes) == 0 {
		return
	}
	var topics []string
	for _, c := range changes {
		if name, ok := c.Topic(); ok {
			topics = append(topics, name)
		}
	}
	slices.Sort(topics)
	b.Groups.TopicsChanged(topics, b.Catalog.Next(changes...), b.Catalog.Show)
}

// SetTopicConfigs replaces a topic's own configs by what edit makes of them; edit
// gets a copy. With validateOnly it only checks. Errors are Refusals or kerrs.
func (b *Broker) SetTopicConfigs(name string, validateOnly bool, edit func(configs map[string]string) (map[string]string, error)) error {
	b.changing.Lock()
	defer b.changing.Unlock()
	s := b.Catalog.Snapshot()
	// A config that is wrong is told before a topic that is not there, as by Kafka.
	topic, missing := existing(s, name)
	var have map[string]string
	if missing == nil {
		have = topic.Configs
	}
	configs, err := edit(copied(have))
	if err != nil {
		return err
	}
	if err := s.CheckTopicConfigs(configs); err != nil {
		return err
	}
	if missing != nil {
		return missing
	}
	if err := keepsState(topic, configs); err != nil {
		return err
	}
	if validateOnly {
		return nil
	}
	return b.reconfigure(catalog.PutTopic(topic.Name, topic.ID, topic.Partitions, configs))
}

// SetBrokerConfigs replaces the dynamic configs of a node ("" = of the cluster) by
// what edit makes of them; edit gets a copy. With validateOnly it only checks.
func (b *Broker) SetBrokerConfigs(node string, validateOnly bool, edit func(configs map[string]string) (map[string]string, error)) error {
	b.changing.Lock()
	defer b.changing.Unlock()
	have, _ := b.Catalog.Snapshot().BrokerConfigs(node)
	configs, err := edit(copied(have))
	if err != nil {
		return err
	}
	if err := catalog.CheckBrokerConfigs(configs); err != nil || validateOnly {
		return err
	}
	return b.reconfigure(catalog.PutBrokerConfigs(node, configs))
}

// SetGroupConfigs replaces the configs of a group, which need not exist, by what edit
// makes of them; edit gets a copy. With validateOnly it only checks.
func (b *Broker) SetGroupConfigs(group string, validateOnly bool, edit func(configs map[string]string) (map[string]string, error)) error {
	b.changing.Lock()
	defer b.changing.Unlock()
	s := b.Catalog.Snapshot()
	configs, err := edit(copied(s.GroupConfigs(group)))
	if err != nil {
		return err
	}
	if err := s.CheckGroupConfigs(configs); err != nil || validateOnly {
		return err
	}
	return b.reconfigure(catalog.PutGroupConfigs(group, configs))
}

// reconfigure commits a change of configs and hands it to the logs it concerns.
func (b *Broker) reconfigure(change catalog.Change) error {
	units := []*unit{{change: change}}
	errs := b.commit(units)
	b.show(units, errs)
	if errs[0] == nil {
		b.applyConfigs()
	}
	return errs[0]
}

func copied(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return maps.Clone(m)
}
