package catalog

import (
	"maps"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// CheckTopicConfigs returns nil or a Refusal with INVALID_CONFIG for the first
// thing that is wrong with a topic's own configs, static and dynamic broker
// configs taken into account where configs depend on each other.
func (s *Snapshot) CheckTopicConfigs(configs map[string]string) error {
	for name, text := range sorted(configs) {
		d := TopicDef(name)
		if d == nil {
			return Refuse(kerr.InvalidConfig, "Unknown topic config name: %s", name)
		}
		v, err := d.parse(text)
		if err != nil {
			return err
		}
		if name == "remote.storage.enable" && v.flag {
			return Refuse(kerr.InvalidConfig, "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
		}
	}
	low, high := s.topicNumber(configs, "min.compaction.lag.ms"), s.topicNumber(configs, "max.compaction.lag.ms")
	if low > high {
		return Refuse(kerr.InvalidConfig, "conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", low, high)
	}
	return nil
}

// checkStatic checks a broker config that is given at start.
func checkStatic(name, text string) error {
	if d := BrokerDef(name); d != nil {
		_, err := d.parse(text)
		return err
	}
	if inertNames[name] {
		return nil
	}
	if name == "log.dir" || name == "log.dirs" {
		return Refuse(kerr.InvalidConfig, "%s: the data directory is not a config here; give it with --data (in Go: DataDir)", name)
	}
	for _, prefix := range []string{"sasl.", "ssl.", "security.", "authorizer.", "super.users", "listener.security."} {
		if strings.HasPrefix(name, prefix) {
			return Refuse(kerr.InvalidConfig, "%s: this broker has no authentication, encryption or ACLs yet; leave it out, and keep the listeners on a trusted network", name)
		}
	}
	return Refuse(kerr.InvalidConfig, "Unknown broker config name: %s%s", name, nearest(name))
}

// nearest suggests a topic config's broker name, the usual mistake.
func nearest(name string) string {
	if d := TopicDef(name); d != nil && len(d.From) > 0 {
		return "; it is a topic's, the broker's default for it is " + d.From[0].name
	}
	return ""
}

// CheckBrokerConfigs returns nil or a Refusal for configs that are to be set on a
// running broker.
func CheckBrokerConfigs(configs map[string]string) error {
	var fixed []string
	for name, text := range sorted(configs) {
		d := BrokerDef(name)
		switch {
		case d == nil:
			return Refuse(kerr.InvalidConfig, "Unknown broker config name: %s%s", name, nearest(name))
		case !d.Dynamic:
			fixed = append(fixed, name)
			continue
		}
		if _, err := d.parse(text); err != nil {
			return err
		}
	}
	if len(fixed) > 0 {
		return Refuse(kerr.InvalidRequest, "Cannot update these configs dynamically: [%s]", strings.Join(fixed, ", "))
	}
	return nil
}

// Inert returns the names among the configs given at start that are accepted
// without effect, in order: worth a line in the log. Those that will be refused are
// not among them.
func Inert(static map[string]string) []string {
	var names []string
	for name := range sorted(static) {
		d := BrokerDef(name)
		if d == nil && inertNames[name] || d != nil && d.Does == "" {
			names = append(names, name)
		}
	}
	return names
}

// EditOp is one change of one config (KIP-339).
type EditOp int8

// The operations of IncrementalAlterConfigs, in the protocol's numbers.
const (
	EditSet EditOp = iota
	EditDelete
	EditAppend
	EditSubtract
)

// Edit changes one config.
type Edit struct {
	Name  string
	Op    EditOp
	Value *string
}

// ApplyEdits returns a copy of configs with the edits carried out. defs finds a
// config (TopicDef or BrokerDef); inherited is the value that an unset list
// starts from when it is appended to or subtracted from. It checks the edits
// themselves; the outcome is for CheckTopicConfigs or CheckBrokerConfigs.
func ApplyEdits(configs map[string]string, edits []Edit, defs func(string) *Def, inherited func(string) string) (map[string]string, error) {
	out := maps.Clone(configs)
	if out == nil {
		out = map[string]string{}
	}
	seen := map[string]bool{}
	for _, e := range edits {
		if seen[e.Name] {
			return nil, Refuse(kerr.InvalidRequest, "Error due to duplicate config keys")
		}
		seen[e.Name] = true
	}
	for _, e := range edits {
		if e.Op == EditDelete {
			delete(out, e.Name)
			continue
		}
		if e.Value == nil {
			return nil, Refuse(kerr.InvalidRequest, "Null value not supported for : %s", e.Name)
		}
		switch e.Op {
		case EditSet:
			out[e.Name] = *e.Value
		case EditAppend, EditSubtract:
			text, err := editList(out, e, defs(e.Name), inherited)
			if err != nil {
				return nil, err
			}
			out[e.Name] = text
		default:
			return nil, Refuse(kerr.InvalidRequest, "Unknown config operation %d for %s; 0 sets, 1 deletes, 2 appends, 3 subtracts", e.Op, e.Name)
		}
	}
	return out, nil
}

func editList(configs map[string]string, e Edit, d *Def, inherited func(string) string) (string, error) {
	verb := map[EditOp]string{EditAppend: "APPEND", EditSubtract: "SUBTRACT"}[e.Op]
	if d == nil || d.Type != List {
		return "", Refuse(kerr.InvalidConfig, "Can't %s to key %s because its type is not LIST.", verb, e.Name)
	}
	text, own := configs[e.Name]
	if !own {
		text = inherited(e.Name)
	}
	list := splitList(text)
	for _, item := range splitList(*e.Value) {
		at := indexOf(list, item)
		switch {
		case e.Op == EditAppend && at < 0:
			list = append(list, item)
		case e.Op == EditSubtract && at >= 0:
			list = append(list[:at], list[at+1:]...)
		}
	}
	return strings.Join(list, ","), nil
}

func indexOf(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}
