package catalog

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

func newCatalog(t *testing.T, static map[string]string) *Catalog {
	t.Helper()
	c, err := New(1, static)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// logOf is a catalogue's log of the changes, a batch each.
func logOf(changes ...Change) func(func(kafka.Batch) error) error {
	return func(fn func(kafka.Batch) error) error {
		for _, ch := range changes {
			if err := fn(kafka.Build(kafka.BatchSpec{}, []kafka.Record{ch.Record(1)})); err != nil {
				return err
			}
		}
		return nil
	}
}

// dump is a snapshot as text, for comparison.
func dump(s *Snapshot) string {
	var b strings.Builder
	for _, t := range s.Topics() {
		fmt.Fprintln(&b, t.Name, t.ID, t.Partitions, t.Configs, *t.View)
	}
	fmt.Fprintln(&b, s.cluster, s.node)
	return b.String()
}

func TestReplayGivesWhatApplyGave(t *testing.T) {
	t.Parallel()
	a, b := kafka.NewUUID(), kafka.NewUUID()
	changes := []Change{
		PutTopic("a", a, 3, map[string]string{"retention.ms": "1000"}),
		PutTopic("b", b, 1, nil),
		PutTopic("gone", kafka.NewUUID(), 9, nil),
		PutBrokerConfigs("", map[string]string{"message.max.bytes": "2000000"}),
		PutBrokerConfigs("1", map[string]string{"log.retention.bytes": "77"}),
		DropTopic("gone"),
		PutTopic("a", a, 5, map[string]string{"retention.ms": "1000", "cleanup.policy": "compact"}),
		PutBrokerConfigs("1", nil),
	}
	live := newCatalog(t, nil)
	for _, ch := range changes {
		live.Apply(ch)
	}
	replayed := newCatalog(t, nil)
	if err := replayed.Load(logOf(changes...)); err != nil {
		t.Fatal(err)
	}
	if got, want := dump(replayed.Snapshot()), dump(live.Snapshot()); got != want {
		t.Errorf("replayed\n%s\nlive\n%s", got, want)
	}
	s := live.Snapshot()
	if s.NumTopics() != 2 || s.Topic("gone") != nil || s.Topic("a").Partitions != 5 || s.TopicByID(b).Name != "b" {
		t.Error(dump(s))
	}
	if v := s.Topic("b").View; v.MaxMessageBytes != 2000000 || v.Log.RetentionBytes != -1 {
		t.Errorf("view of b: %+v", v)
	}
}

// A topic that is deleted and made again is another one: its old id is unknown
// (reference: 4.2, gotcha 3).
func TestRecreatedTopicHasAnotherID(t *testing.T) {
	t.Parallel()
	c := newCatalog(t, nil)
	first, second := kafka.NewUUID(), kafka.NewUUID()
	c.Apply(PutTopic("t", first, 1, nil))
	c.Apply(DropTopic("t"), PutTopic("t", second, 1, nil))
	s := c.Snapshot()
	if s.TopicByID(first) != nil || s.TopicByID(second) == nil || s.Topic("t").ID != second {
		t.Error(dump(s))
	}
}

// A snapshot that somebody holds does not change under them.
func TestSnapshotStays(t *testing.T) {
	t.Parallel()
	c := newCatalog(t, nil)
	var changes []Change
	for i := range 500 {
		changes = append(changes, PutTopic(fmt.Sprintf("t%03d", i), kafka.NewUUID(), 1, nil))
	}
	c.Apply(changes...)
	held := c.Snapshot()
	before := dump(held)
	c.Apply(DropTopic("t007"), PutTopic("new", kafka.NewUUID(), 1, nil), PutTopic("t100", kafka.NewUUID(), 7, nil))
	c.Apply(PutBrokerConfigs("1", map[string]string{"log.segment.bytes": "2000000"}))
	if after := dump(held); after != before {
		t.Error("the held snapshot changed")
	}
	now := c.Snapshot()
	if now.NumTopics() != 500 || now.Topic("t007") != nil || now.Topic("t008").View.Log.SegmentBytes != 2000000 {
		t.Errorf("%d topics; %+v", now.NumTopics(), now.Topic("t008").View)
	}
}

func TestLoadRefusesWhatIsNewer(t *testing.T) {
	t.Parallel()
	for _, rec := range []kafka.Record{
		{Key: []byte("user/alice"), Value: []byte(`{"v":1}`)},
		{Key: []byte("topic/t"), Value: []byte(`{"v":2,"id":"","shape":"round"}`)},
		{Key: []byte("topic/t"), Value: []byte(`{"v":1,"id":"AAAAAAAAAAAAAAAAAAAAAQ","partitions":1,"colour":"red"}`)},
		{Key: []byte("topic/t"), Value: []byte(`not json`)},
		{Key: []byte("topic/t"), Value: []byte(`{"v":1,"id":"AAAAAAAAAAAAAAAAAAAAAQ","partitions":-1}`)},
		{Key: []byte("topic/a b"), Value: []byte(`{"v":1,"id":"AAAAAAAAAAAAAAAAAAAAAQ","partitions":1}`)},
		{Key: []byte("topic/t"), Value: []byte(`{"v":1,"id":"short","partitions":1}`)},
	} {
		c := newCatalog(t, nil)
		err := c.Load(func(fn func(kafka.Batch) error) error {
			return fn(kafka.Build(kafka.BatchSpec{BaseOffset: 41}, []kafka.Record{rec}))
		})
		if err == nil || !strings.Contains(err.Error(), "catalogue at offset 41") {
			t.Errorf("%s: %v", rec.Value, err)
		}
	}
}

// The records' bytes are a format of the data directory.
func TestRecordsGolden(t *testing.T) {
	t.Parallel()
	id, err := kafka.ParseUUID("MkU3OEVBNTcwNTJENDM2QQ")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change     Change
		key, value string
	}{
		{PutTopic("orders", id, 3, map[string]string{"retention.ms": "1000", "cleanup.policy": "compact"}), "topic/orders",
			`{"v":1,"id":"MkU3OEVBNTcwNTJENDM2QQ","partitions":3,"configs":{"cleanup.policy":"compact","retention.ms":"1000"}}`},
		{PutTopic("plain", id, 1, nil), "topic/plain", `{"v":1,"id":"MkU3OEVBNTcwNTJENDM2QQ","partitions":1}`},
		{PutBrokerConfigs("1", map[string]string{"log.retention.ms": "9"}), "config/broker/1", `{"v":1,"configs":{"log.retention.ms":"9"}}`},
		{PutBrokerConfigs("", map[string]string{"log.retention.ms": "9"}), "config/broker/default", `{"v":1,"configs":{"log.retention.ms":"9"}}`},
	} {
		r := c.change.Record(5)
		if string(r.Key) != c.key || string(r.Value) != c.value {
			t.Errorf("record is %s = %s\nwant      %s = %s", r.Key, r.Value, c.key, c.value)
		}
	}
	if r := DropTopic("orders").Record(5); string(r.Key) != "topic/orders" || r.Value != nil {
		t.Errorf("dropping: %s = %q", r.Key, r.Value)
	}
	if r := PutBrokerConfigs("1", nil).Record(5); r.Value != nil {
		t.Errorf("no configs: %q", r.Value)
	}
}

func TestTopicNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "A.b_c-9", "__mine", strings.Repeat("x", 249), "..."} {
		if err := CheckTopicName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a b", "é", "a/b", "a\x00", strings.Repeat("x", 250)} {
		if err := CheckTopicName(name); !errors.Is(err, kerr.InvalidTopicException) {
			t.Errorf("%q: %v", name, err)
		}
	}
	c := newCatalog(t, nil)
	c.Apply(PutTopic("a.b", kafka.NewUUID(), 1, nil))
	s := c.Snapshot()
	if got := s.CollidesWith("a_b"); got != "a.b" {
		t.Errorf("a_b collides with %q", got)
	}
	if got := s.CollidesWith("a.b"); got != "" {
		t.Errorf("a.b collides with %q, which is itself", got)
	}
	c.Apply(DropTopic("a.b"))
	if got := c.Snapshot().CollidesWith("a_b"); got != "" {
		t.Errorf("a_b collides with %q, which is gone", got)
	}
}

// The sources and synonyms that Kafka 4.3.1 reports (but for one of its quirks: it
// hides synonyms of another name when none of the first name is set).
func TestWhereAValueComesFrom(t *testing.T) {
	t.Parallel()
	c := newCatalog(t, map[string]string{"log.retention.hours": "2", "num.partitions": "4"})
	entry := func(own map[string]string, name string) string {
		e := c.Snapshot().TopicEntry(own, TopicDef(name))
		return describe(e)
	}
	check := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	check(entry(nil, "retention.ms"), "7200000 STATIC_BROKER_CONFIG [log.retention.hours=2 STATIC_BROKER_CONFIG] [log.retention.hours=168 DEFAULT_CONFIG]")
	c.Apply(PutBrokerConfigs("", map[string]string{"log.retention.ms": "8000000"}))
	c.Apply(PutBrokerConfigs("1", map[string]string{"log.retention.ms": "9000000"}))
	check(entry(map[string]string{"retention.ms": "5"}, "retention.ms"),
		"5 DYNAMIC_TOPIC_CONFIG [retention.ms=5 DYNAMIC_TOPIC_CONFIG] [log.retention.ms=9000000 DYNAMIC_BROKER_CONFIG] [log.retention.ms=8000000 DYNAMIC_DEFAULT_BROKER_CONFIG] [log.retention.hours=2 STATIC_BROKER_CONFIG] [log.retention.hours=168 DEFAULT_CONFIG]")
	check(entry(nil, "max.message.bytes"), "1048588 DEFAULT_CONFIG [message.max.bytes=1048588 DEFAULT_CONFIG]")
	check(entry(nil, "remote.storage.enable"), "false DEFAULT_CONFIG")
	check(describe(c.Snapshot().BrokerEntry(BrokerDef("num.partitions"))), "4 STATIC_BROKER_CONFIG [num.partitions=4 STATIC_BROKER_CONFIG] [num.partitions=1 DEFAULT_CONFIG]")
	check(describe(c.Snapshot().BrokerEntry(BrokerDef("log.roll.ms"))), "null DEFAULT_CONFIG")
	if got := c.Snapshot().Int("num.partitions"); got != 4 {
		t.Errorf("num.partitions is %d", got)
	}
	if got := c.Snapshot().View(nil).Log.RetentionAge; got != 9000*time.Second {
		t.Errorf("retention is %v", got)
	}
}

func describe(e Entry) string {
	show := func(v *string) string {
		if v == nil {
			return "null"
		}
		return *v
	}
	s := show(e.Value) + " " + e.Source.String()
	for _, syn := range e.Synonyms {
		s += fmt.Sprintf(" [%s=%s %s]", syn.Name, show(syn.Value), syn.Source)
	}
	return s
}

func TestView(t *testing.T) {
	t.Parallel()
	s := newCatalog(t, nil).Snapshot()
	v := s.View(map[string]string{
		"cleanup.policy": "compact, delete", "retention.ms": "-1", "segment.ms": "9223372036854775807", "min.compaction.lag.ms": " 5 ",
		"message.timestamp.type": "LogAppendTime", "compression.type": "zstd", "max.message.bytes": "10",
	})
	if !v.Log.Compact || !v.Log.Delete || v.Log.RetentionAge >= 0 || v.Log.SegmentAge != math.MaxInt64 || v.Log.MinCompactionLag != 5*time.Millisecond {
		t.Errorf("%+v", v.Log)
	}
	if !v.Log.LogAppendTime || !v.Recompress || v.Codec != kafka.CodecZstd || v.MaxMessageBytes != 10 {
		t.Errorf("%+v", v)
	}
	if none := s.View(map[string]string{"cleanup.policy": ""}); none.Log.Compact || none.Log.Delete {
		t.Errorf("no policy: %+v", none.Log)
	}
	if d := s.View(nil); d.Recompress || d.Log.Compact || !d.Log.Delete || d.TimestampBefore != math.MaxInt64 || d.TimestampAfter != time.Hour {
		t.Errorf("%+v", d)
	}
}

// Codes and sentences as Kafka 4.3.1 gives them.
func TestCheckTopicConfigs(t *testing.T) {
	t.Parallel()
	s := newCatalog(t, nil).Snapshot()
	for _, c := range []struct{ name, value, want string }{
		{"nope", "1", "Unknown topic config name: nope"},
		{"retention.ms", "x", "Invalid value x for configuration retention.ms: Not a number of type LONG"},
		{"retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
		{"retention.ms", " 1000 ", ""},
		{"segment.bytes", "10", "Invalid value 10 for configuration segment.bytes: Value must be at least 1048576"},
		{"segment.bytes", "", "Invalid value  for configuration segment.bytes: Not a number of type INT"},
		{"max.message.bytes", "99999999999", "Invalid value 99999999999 for configuration max.message.bytes: Not a number of type INT"},
		{"cleanup.policy", "nope", "Invalid value nope for configuration cleanup.policy: String must be one of: compact, delete"},
		{"cleanup.policy", "compact, delete", ""},
		{"cleanup.policy", "", ""}, // KIP-1161
		{"compression.type", "", "Invalid value  for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
		{"compression.type", "ZSTD", "Invalid value ZSTD for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
		{"compression.gzip.level", "0", "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
		{"preallocate", "TRUE", ""},
		{"preallocate", "yes", "Invalid value yes for configuration preallocate: Expected value to be either true or false"},
		{"min.cleanable.dirty.ratio", "2", "Invalid value 2 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio", "NaN", "Invalid value NaN for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
		{"remote.storage.enable", "true", "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
		{"leader.replication.throttled.replicas", "*", ""},
		{"leader.replication.throttled.replicas", "0:1,1:1", ""},
		{"leader.replication.throttled.replicas", "bla", "Invalid value bla for configuration leader.replication.throttled.replicas: " + throttledForm},
	} {
		err := s.CheckTopicConfigs(map[string]string{c.name: c.value})
		var r *Refusal
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s=%q: %v", c.name, c.value, err)
		case c.want != "" && (!errors.As(err, &r) || r.Code != kerr.InvalidConfig || r.Message != c.want):
			t.Errorf("%s=%q:\n got %v\nwant %s", c.name, c.value, err, c.want)
		}
	}
	err := s.CheckTopicConfigs(map[string]string{"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"})
	if want := "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCheckBrokerConfigs(t *testing.T) {
	t.Parallel()
	if err := CheckBrokerConfigs(map[string]string{"log.retention.ms": "5"}); err != nil {
		t.Error(err)
	}
	err := CheckBrokerConfigs(map[string]string{"num.partitions": "3", "log.retention.ms": "5", "node.id": "7"})
	if !errors.Is(err, kerr.InvalidRequest) || !strings.HasSuffix(err.Error(), "Cannot update these configs dynamically: [node.id, num.partitions]") {
		t.Error(err)
	}
	if err := CheckBrokerConfigs(map[string]string{"retention.ms": "5"}); !errors.Is(err, kerr.InvalidConfig) {
		t.Error(err)
	}
}

// KIP-339.
func TestApplyEdits(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	inherited := func(string) string { return "delete" }
	for _, c := range []struct {
		name  string
		have  map[string]string
		edits []Edit
		want  map[string]string
		fails error
	}{
		{"set and delete", map[string]string{"a": "1", "b": "2"}, []Edit{{"a", EditSet, text("9")}, {"b", EditDelete, nil}}, map[string]string{"a": "9"}, nil},
		{"delete what is unknown", nil, []Edit{{"nope", EditDelete, nil}}, map[string]string{}, nil},
		{"append to the default", nil, []Edit{{"cleanup.policy", EditAppend, text("compact")}}, map[string]string{"cleanup.policy": "delete,compact"}, nil},
		{"append twice", map[string]string{"cleanup.policy": "compact"}, []Edit{{"cleanup.policy", EditAppend, text("compact")}}, map[string]string{"cleanup.policy": "compact"}, nil},
		{"subtract", map[string]string{"cleanup.policy": "compact,delete"}, []Edit{{"cleanup.policy", EditSubtract, text("compact")}}, map[string]string{"cleanup.policy": "delete"}, nil},
		{"subtract what is not there", map[string]string{"cleanup.policy": "delete"}, []Edit{{"cleanup.policy", EditSubtract, text("compact")}}, map[string]string{"cleanup.policy": "delete"}, nil},
		{"append to a number", nil, []Edit{{"retention.ms", EditAppend, text("1")}}, nil, kerr.InvalidConfig},
		{"append to nothing known", nil, []Edit{{"nope", EditAppend, text("1")}}, nil, kerr.InvalidConfig},
		{"null", nil, []Edit{{"retention.ms", EditSet, nil}}, nil, kerr.InvalidRequest},
		{"twice", nil, []Edit{{"retention.ms", EditSet, text("1")}, {"retention.ms", EditDelete, nil}}, nil, kerr.InvalidRequest},
		{"unknown operation", nil, []Edit{{"retention.ms", 7, text("1")}}, nil, kerr.InvalidRequest},
	} {
		before := maps.Clone(c.have)
		got, err := ApplyEdits(c.have, c.edits, TopicDef, inherited)
		if !errors.Is(err, c.fails) || !maps.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v; want %v, %v", c.name, got, err, c.want, c.fails)
		}
		if !maps.Equal(c.have, before) {
			t.Errorf("%s: the configs given were changed", c.name)
		}
	}
}

func TestDefsAreSeen(t *testing.T) {
	t.Parallel()
	names := func(d *Def) string { return d.Name }
	var got []string
	for d := range TopicDefs() {
		got = append(got, names(d))
	}
	if len(got) != len(topicDefs) || !slices.IsSorted(got) {
		t.Errorf("%q", got)
	}
	if d := TopicDef("preallocate"); d.Documentation() != "Accepted as Kafka does; it has no effect here." || d.Type != kmsg.ConfigTypeBoolean || d.Sensitive() {
		t.Errorf("%+v", d)
	}
}
