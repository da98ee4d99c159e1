package catalog

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// GroupDef returns the group config of this name, nil when there is none.
func GroupDef(name string) *Def { return find(groupDefs, name) }

// GroupDefs yields all group configs in order of name.
func GroupDefs() iter.Seq[*Def] { return each(groupDefs) }

// GroupConfigs returns the configs that were set for a group, which need not exist.
func (s *Snapshot) GroupConfigs(group string) map[string]string { return s.groups[group] }

// GroupsWithConfigs are the groups that have configs of their own, in order.
func (s *Snapshot) GroupsWithConfigs() []string { return slices.Sorted(maps.Keys(s.groups)) }

// GroupEntry tells a group's value of the config d.
func (s *Snapshot) GroupEntry(configs map[string]string, d *Def) Entry {
	e := s.entry(configs, d, kmsg.ConfigSourceGroupConfig)
	if len(d.From) == 0 && !d.Null {
		e.Synonyms = append(e.Synonyms, Synonym{d.Name, &d.Default, kmsg.ConfigSourceDefaultConfig, 1})
	}
	return e
}

// GroupInt is the effective value of a group config that is a number. One of the
// group's own is kept within the bounds that the broker sets: they may have become
// narrower since it was set. The name is one of the roster; another one panics.
func (s *Snapshot) GroupInt(group, name string) int64 {
	n := s.groupNumber(s.groups[group], name)
	if _, own := s.groups[group][name]; !own {
		return n
	}
	d := GroupDef(name)
	if d.low != "" {
		n = max(n, s.Int(d.low))
	}
	if d.high != "" {
		n = min(n, s.Int(d.high))
	}
	return n
}

// GroupMillis is GroupInt for a number of milliseconds.
func (s *Snapshot) GroupMillis(group, name string) time.Duration {
	return millis(s.GroupInt(group, name))
}

func (s *Snapshot) groupNumber(configs map[string]string, name string) int64 {
	return s.groupValue(configs, name).number
}

func (s *Snapshot) groupValue(configs map[string]string, name string) value {
	d := GroupDef(name)
	if d == nil {
		panic("catalog: no group config " + name)
	}
	e := s.GroupEntry(configs, d)
	if e.Value == nil {
		return value{}
	}
	v, _ := d.parse(*e.Value) // checked when it was set
	return v
}

// CheckGroupConfigs returns nil or a Refusal with INVALID_CONFIG for the first thing
// that is wrong with a group's own configs.
func (s *Snapshot) CheckGroupConfigs(configs map[string]string) error {
	for name, text := range sorted(configs) {
		d := GroupDef(name)
		if d == nil {
			return Refuse(kerr.InvalidConfig, "Unknown group config name: %s", name)
		}
		v, err := d.parse(text)
		if err != nil {
			return err
		}
		if d.low != "" && v.number < s.Int(d.low) || d.high != "" && v.number > s.Int(d.high) {
			return Refuse(kerr.InvalidConfig, "%s must be in the range %d to %d inclusive.", name, s.Int(d.low), s.Int(d.high))
		}
	}
	for _, pair := range sessions {
		session, heartbeat := pair[0], pair[1]
		_, ownSession := configs[session]
		_, ownHeartbeat := configs[heartbeat]
		if (ownSession || ownHeartbeat) && s.groupNumber(configs, session) <= s.groupNumber(configs, heartbeat) {
			return Refuse(kerr.InvalidConfig, "%s must be greater than %s", session, heartbeat)
		}
	}
	return nil
}

// PutGroupConfigs sets the configs of a group; none takes them away. configs must not
// be changed afterwards.
func PutGroupConfigs(group string, configs map[string]string) Change {
	c := Change{key: groupKey + group, apply: func(s *Snapshot) {
		groups := maps.Clone(s.groups)
		if groups == nil {
			groups = make(map[string]map[string]string)
		}
		if delete(groups, group); len(configs) > 0 {
			groups[group] = configs
		}
		s.groups = groups
	}}
	if len(configs) > 0 {
		c.value = marshal(configValue{V: schemaVersion, Configs: configs})
	}
	return c
}
