package catalog

import (
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Entry is a config with the value that counts and all that it was chosen from.
type Entry struct {
	Def *Def
	// Value is nil when nothing is set and there is no default.
	Value  *string
	Source kmsg.ConfigSource
	// Synonyms are the values that were set, the one that counts first. A
	// synonym of a topic config has the broker's name and unit.
	Synonyms []Synonym
}

// Synonym is one value of a config and where it was set.
type Synonym struct {
	Name   string
	Value  *string
	Source kmsg.ConfigSource
	factor int64
}

// TopicEntry tells a topic's value of the config d.
func (s *Snapshot) TopicEntry(configs map[string]string, d *Def) Entry {
	return s.entry(configs, d, kmsg.ConfigSourceDynamicTopicConfig)
}

// entry tells the value of a config that broker configs stand in for; own is the
// source of a value in configs.
func (s *Snapshot) entry(configs map[string]string, d *Def, own kmsg.ConfigSource) Entry {
	e := Entry{Def: d, Source: kmsg.ConfigSourceDefaultConfig}
	if text, ok := configs[d.Name]; ok {
		e.Synonyms = append(e.Synonyms, Synonym{d.Name, &text, own, 1})
	}
	for _, layer := range s.layers() {
		for _, syn := range d.From {
			if text, ok := layer.configs[syn.name]; ok {
				e.Synonyms = append(e.Synonyms, Synonym{syn.name, &text, layer.source, syn.factor})
			}
		}
	}
	for _, syn := range d.From {
		if b := BrokerDef(syn.name); b != nil && !b.Null {
			e.Synonyms = append(e.Synonyms, Synonym{syn.name, &b.Default, kmsg.ConfigSourceDefaultConfig, syn.factor})
		}
	}
	if len(e.Synonyms) == 0 {
		e.Value = defaultOf(d)
		return e
	}
	first := e.Synonyms[0]
	e.Source = first.Source
	e.Value = first.Value
	if first.factor != 1 {
		e.Value = scaled(*first.Value, first.factor)
	}
	return e
}

// BrokerEntry tells the broker's value of the config d.
func (s *Snapshot) BrokerEntry(d *Def) Entry {
	e := Entry{Def: d, Source: kmsg.ConfigSourceDefaultConfig, Value: defaultOf(d)}
	for _, layer := range s.layers() {
		if text, ok := layer.configs[d.Name]; ok {
			e.Synonyms = append(e.Synonyms, Synonym{d.Name, &text, layer.source, 1})
		}
	}
	if !d.Null {
		e.Synonyms = append(e.Synonyms, Synonym{d.Name, &d.Default, kmsg.ConfigSourceDefaultConfig, 1})
	}
	if len(e.Synonyms) > 0 {
		e.Value, e.Source = e.Synonyms[0].Value, e.Synonyms[0].Source
	}
	return e
}

// ClusterEntries are the configs that were set for the whole cluster, in order.
func (s *Snapshot) ClusterEntries() []Entry {
	var entries []Entry
	for name, text := range sorted(s.cluster) {
		d := BrokerDef(name)
		if d == nil {
			continue // set under an earlier version that knew it
		}
		source := kmsg.ConfigSourceDynamicDefaultBrokerConfig
		entries = append(entries, Entry{Def: d, Value: &text, Source: source, Synonyms: []Synonym{{name, &text, source, 1}}})
	}
	return entries
}

func defaultOf(d *Def) *string {
	if d.Null {
		return nil
	}
	return &d.Default
}

// scaled multiplies a number; what would not fit is the largest that does.
func scaled(text string, factor int64) *string {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		switch {
		case n < 0: // -1 means no limit, in every unit
		case n > (1<<63-1)/factor:
			n = 1<<63 - 1
		default:
			n *= factor
		}
		text = strconv.FormatInt(n, 10)
	}
	return &text
}

type layer struct {
	configs map[string]string
	source  kmsg.ConfigSource
}

// layers are the broker configs that were set, the strongest first.
func (s *Snapshot) layers() [3]layer {
	return [3]layer{
		{s.node, kmsg.ConfigSourceDynamicBrokerConfig},
		{s.cluster, kmsg.ConfigSourceDynamicDefaultBrokerConfig},
		{s.static, kmsg.ConfigSourceStaticBrokerConfig},
	}
}

// TopicDefs yields all topic configs in order of name.
func TopicDefs() iter.Seq[*Def] { return each(topicDefs) }

// BrokerDefs yields all broker configs that are described, in order of name.
func BrokerDefs() iter.Seq[*Def] { return each(brokerDefs) }

func each(defs []Def) iter.Seq[*Def] {
	return func(yield func(*Def) bool) {
		for i := range defs {
			if !yield(&defs[i]) {
				return
			}
		}
	}
}

// sorted yields a map in order of its keys, so that errors and answers do not
// depend on chance.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
