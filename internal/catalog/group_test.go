package catalog

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestGroupConfigs(t *testing.T) {
	t.Parallel()
	c, err := New(1, map[string]string{"group.consumer.heartbeat.interval.ms": "4000", "group.consumer.max.heartbeat.interval.ms": "9000"})
	if err != nil {
		t.Fatal(err)
	}
	for configs, want := range map[[2]string]string{
		{"consumer.session.timeout.ms", "50000"}:   "",
		{"consumer.heartbeat.interval.ms", "9000"}: "",
		{"consumer.heartbeat.interval.ms", "9001"}: "consumer.heartbeat.interval.ms must be in the range 5000 to 9000 inclusive.",
		{"consumer.session.timeout.ms", "1000"}:    "in the range 45000 to 60000",
		{"consumer.session.timeout.ms", "soon"}:    "Not a number of type INT",
		{"nope", "1"}:                              "Unknown group config name: nope",
	} {
		err := c.Snapshot().CheckGroupConfigs(map[string]string{configs[0]: configs[1]})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %v, want %q", configs, err, want)
		}
	}

	// A change is what its record says, and is of one group only.
	set := PutGroupConfigs("g", map[string]string{"consumer.heartbeat.interval.ms": "8000"})
	r := set.Record(0)
	again, err := decode(r.Key, r.Value)
	if err != nil {
		t.Fatal(err)
	}
	before := c.Snapshot()
	c.Apply(again, PutGroupConfigs("h", map[string]string{"consumer.heartbeat.interval.ms": "7000"}))
	s := c.Snapshot()
	if got := s.GroupInt("g", "consumer.heartbeat.interval.ms"); got != 8000 {
		t.Errorf("g: %d", got)
	}
	if got := s.GroupInt("other", "consumer.heartbeat.interval.ms"); got != 4000 {
		t.Errorf("without configs: %d", got)
	}
	if len(before.GroupsWithConfigs()) > 0 {
		t.Error("a snapshot changed")
	}
	if got := s.GroupsWithConfigs(); !slices.Equal(got, []string{"g", "h"}) {
		t.Error(got)
	}
	e := s.GroupEntry(s.GroupConfigs("g"), GroupDef("consumer.heartbeat.interval.ms"))
	var from []string
	for _, syn := range e.Synonyms {
		from = append(from, syn.Name+"="+*syn.Value)
	}
	want := []string{"consumer.heartbeat.interval.ms=8000", "group.consumer.heartbeat.interval.ms=4000", "group.consumer.heartbeat.interval.ms=5000"}
	if e.Source != kmsg.ConfigSourceGroupConfig || !slices.Equal(from, want) {
		t.Errorf("%v %q", e.Source, from)
	}
	r = PutGroupConfigs("g", nil).Record(0)
	if again, err = decode(r.Key, r.Value); err != nil {
		t.Fatal(err)
	}
	c.Apply(again)
	if got := maps.Clone(c.Snapshot().groups); len(got) != 1 || got["h"] == nil {
		t.Errorf("after the end of g: %v", got)
	}
	// The bounds count at use, too.
	narrow, err := New(1, map[string]string{"group.consumer.max.heartbeat.interval.ms": "6000"})
	if err != nil {
		t.Fatal(err)
	}
	narrow.Apply(set)
	if got := narrow.Snapshot().GroupInt("g", "consumer.heartbeat.interval.ms"); got != 6000 {
		t.Errorf("beyond the bound: %d", got)
	}
}
