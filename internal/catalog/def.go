package catalog

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Types of configs, in the protocol's numbers.
const (
	Boolean  = kmsg.ConfigTypeBoolean
	String   = kmsg.ConfigTypeString
	Int      = kmsg.ConfigTypeInt
	Short    = kmsg.ConfigTypeShort
	Long     = kmsg.ConfigTypeLong
	Double   = kmsg.ConfigTypeDouble
	List     = kmsg.ConfigTypeList
	Class    = kmsg.ConfigTypeClass
	Password = kmsg.ConfigTypePassword
)

// Def is one config: what it is called, what it may be, what it does.
type Def struct {
	Name string
	Type kmsg.ConfigType
	// Default is the value when none is set; Null when there is none then.
	Default string
	Null    bool
	// Dynamic says that a running broker takes a new value (broker configs only;
	// a topic's are always dynamic).
	Dynamic bool
	// From are the broker configs that stand in for a topic or group config.
	From []synonym
	// low and high are the broker configs that bound a group config, "" for none.
	low, high string
	// Does is one sentence on the effect; "" for none.
	Does string

	check func(v value) string // why a parsed value is not allowed, or ""
}

// synonym is a broker config that gives a topic config's value, times factor.
type synonym struct {
	name   string
	factor int64
}

// Documentation is what DescribeConfigs says about the config.
func (d *Def) Documentation() string {
	if d.Does == "" {
		return "Accepted as Kafka does; it has no effect here."
	}
	return d.Does
}

// Sensitive tells that the value is never shown.
func (d *Def) Sensitive() bool { return d.Type == Password }

// TopicDef returns the topic config of this name, nil when there is none.
func TopicDef(name string) *Def { return find(topicDefs, name) }

// BrokerDef returns the broker config of this name, nil when there is none.
func BrokerDef(name string) *Def { return find(brokerDefs, name) }

func find(defs []Def, name string) *Def {
	i, ok := slices.BinarySearchFunc(defs, name, func(d Def, name string) int { return strings.Compare(d.Name, name) })
	if !ok {
		return nil
	}
	return &defs[i]
}

func nameSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(text) {
		set[name] = true
	}
	return set
}
