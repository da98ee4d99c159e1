package flow

import (
	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
	"github.com/twmb/franz-go/pkg/kgo"
)

// HeaderRoot carries the position (topic/partition/offset) of the record at the
// root of a result. Unlike the correlation id it is never a stranger's, and a
// join knows by it which rows it has been through with.
const HeaderRoot = "leat-root"

// rootPosition returns the position of the root of a record of that identity.
//
// A record that no step of the pipeline wrote may have the header from a pipeline
// before this one. But one that was copied with its headers into the topic where
// its root stands, or where this pipeline writes, is a new root: believed, it would
// pass for the repeat of a row that is done, and vanish.
func rootPosition(p *pipeline.Pipeline, id event.Identity, hs []kgo.RecordHeader) string {
	v, ok := event.Header(hs, HeaderRoot)
	if !ok {
		return id.Position()
	}
	if !writes(p, id.Topic) {
		topic, _, _, ok := event.ParsePosition(string(v))
		if !ok || topic == id.Topic || writes(p, topic) {
			return id.Position()
		}
	}
	return string(v)
}

// writes tells whether the pipeline's steps write the topic.
func writes(p *pipeline.Pipeline, topic string) bool {
	for _, s := range p.Steps {
		if s.To == topic || s.Join != nil && (p.Rows(s) == topic || s.Join.Late.Topic == topic) {
			return true
		}
	}
	return p.Joins() && p.Outcomes() == topic
}
