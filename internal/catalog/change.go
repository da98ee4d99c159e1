package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/leatdev/leat/internal/kafka"
)

// maxRecord bounds one batch of the catalogue's log when it is read.
const maxRecord = 16 << 20

// Keys of the catalogue's records.
const (
	topicKey         = "topic/"
	brokerKey        = "config/broker/"
	brokerKeyDefault = "default"
	groupKey         = "config/group/"
	quotaKey         = "quota/"
)

// schemaVersion is the "v" of every value.
const schemaVersion = 1

// Change is one change of the catalogue: a record, and what it does.
type Change struct {
	key   string
	value []byte // nil takes the thing away
	apply func(*Snapshot)
}

// Record is what makes the change durable. timestamp is in ms.
func (c Change) Record(timestamp int64) kafka.Record {
	return kafka.Record{Key: []byte(c.key), Value: c.value, Timestamp: timestamp}
}

// Topic is the name of the topic that the change is about, if it is about one.
func (c Change) Topic() (name string, ok bool) { return strings.CutPrefix(c.key, topicKey) }

type topicValue struct {
	V          int               `json:"v"`
	ID         string            `json:"id"`
	Partitions int32             `json:"partitions"`
	Configs    map[string]string `json:"configs,omitempty"`
}

type configValue struct {
	V       int               `json:"v"`
	Configs map[string]string `json:"configs"`
}

// PutTopic adds a topic or replaces the one of that name. Its View need not be
// set. configs must not be changed afterwards.
func PutTopic(name string, id kafka.UUID, partitions int32, configs map[string]string) Change {
	return Change{
		key:   topicKey + name,
		value: marshal(topicValue{V: schemaVersion, ID: id.String(), Partitions: partitions, Configs: configs}),
		apply: func(s *Snapshot) {
			s.put(&Topic{Name: name, ID: id, Partitions: partitions, Configs: configs})
		},
	}
}

// DropTopic takes a topic away.
func DropTopic(name string) Change {
	return Change{key: topicKey + name, apply: func(s *Snapshot) { s.drop(name) }}
}

// PutBrokerConfigs sets the dynamic configs of a node, or with "" of the cluster;
// none takes them away. configs must not be changed afterwards.
func PutBrokerConfigs(node string, configs map[string]string) Change {
	name := node
	if node == "" {
		name = brokerKeyDefault
	}
	c := Change{key: brokerKey + name, apply: func(s *Snapshot) {
		switch node {
		case "":
			s.cluster = configs
		case s.nodeID:
			s.node = configs
		}
		s.review()
	}}
	if len(configs) > 0 {
		c.value = marshal(configValue{V: schemaVersion, Configs: configs})
	}
	return c
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return b
}

var errNewer = errors.New("written by a newer version of this program, which is needed to read it")

// decode is the inverse of a Change's record.
func decode(key, value []byte) (Change, error) {
	k := string(key)
	if name, ok := strings.CutPrefix(k, topicKey); ok {
		if value == nil {
			return DropTopic(name), nil
		}
		var v topicValue
		if err := unmarshal(k, value, &v, &v.V); err != nil {
			return Change{}, err
		}
		id, err := kafka.ParseUUID(v.ID)
		if err != nil {
			return Change{}, fmt.Errorf("%s: %w", k, err)
		}
		if err := CheckTopicName(name); err != nil || v.Partitions < 1 {
			return Change{}, fmt.Errorf("%s: no topic can be called that, or have %d partitions", k, v.Partitions)
		}
		return PutTopic(name, id, v.Partitions, v.Configs), nil
	}
	if node, ok := strings.CutPrefix(k, brokerKey); ok {
		if node == brokerKeyDefault {
			node = ""
		}
		var v configValue
		if value != nil {
			if err := unmarshal(k, value, &v, &v.V); err != nil {
				return Change{}, err
			}
		}
		return PutBrokerConfigs(node, v.Configs), nil
	}
	if group, ok := strings.CutPrefix(k, groupKey); ok {
		var v configValue
		if value != nil {
			if err := unmarshal(k, value, &v, &v.V); err != nil {
				return Change{}, err
			}
		}
		return PutGroupConfigs(group, v.Configs), nil
	}
	if entity, ok := strings.CutPrefix(k, quotaKey); ok {
		return decodeQuotas(k, entity, value)
	}
	return Change{}, fmt.Errorf("record %q is of an unknown kind: %w", k, errNewer)
}

func unmarshal(key string, value []byte, into any, version *int) error {
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	switch {
	case *version > schemaVersion:
		return fmt.Errorf("record %q has schema version %d, this program knows %d: %w", key, *version, schemaVersion, errNewer)
	case err != nil:
		return fmt.Errorf("record %q: %w", key, err)
	}
	return nil
}
