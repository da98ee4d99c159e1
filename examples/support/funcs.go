package support

import (
	"context"

	"github.com/leatdev/leat/examples/support/models/class"
	"github.com/leatdev/leat/examples/support/models/intent"
	"github.com/leatdev/leat/examples/support/models/keywords"
	"github.com/leatdev/leat/examples/support/models/tagger"
	"github.com/leatdev/leat/examples/support/models/text"
	"github.com/leatdev/leat/pipeline"
)

// Funcs are all models by their names in the pipeline file. The three that the
// file declares as `protocol: go` are embed, nearest and keywords.
func (m *Models) Funcs() map[string]Func {
	return map[string]Func{
		"mood": m.Mood, "tagger": m.Tag, "class": m.Class(DefaultMaxChars),
		"keywords": m.Keywords, "embed": m.Embed, "nearest": m.Nearest,
	}
}

// Mood takes {text} and returns {label, score}: positive, negative or neutral,
// and a number from -1 to 1.
func (m *Models) Mood(_ context.Context, in pipeline.Input) (any, error) {
	message, err := textOf(in.Value)
	if err != nil {
		return nil, err
	}
	return m.set.Mood.Score(message), nil
}

// Tagged is the result of Tag.
type Tagged struct {
	Tags tagger.Sentence `json:"tags"`
}

// Tag takes {text} and returns {tags: [{word, tag}]}, the universal parts of
// speech of its words.
func (m *Models) Tag(_ context.Context, in pipeline.Input) (any, error) {
	message, err := textOf(in.Value)
	if err != nil {
		return nil, err
	}
	return Tagged{m.set.Tagger.Tag(message)}, nil
}

// Classified is the result of Class.
type Classified struct {
	class.Class
	// Intent is what the message is about, most likely.
	Intent intent.Intent `json:"intent"`
}

// Class makes the model that takes {text, tags} and returns {name, score,
// intent}: help, compliment, complaint or other. It refuses texts of more than
// maxChars characters.
func (m *Models) Class(maxChars int) Func {
	return func(_ context.Context, in pipeline.Input) (any, error) {
		message, tags, err := taggedOf(in.Value)
		if err != nil {
			return nil, err
		}
		if err := checkLength(message, maxChars); err != nil {
			return nil, err
		}
		return Classified{m.set.Class.Predict(message, tags), m.set.Intent.Predict(message)}, nil
	}
}

// Found is the result of Keywords.
type Found struct {
	Keywords []keywords.Keyword `json:"keywords"`
}

// Keywords takes {text, tags} and returns {keywords: [{name, score}]}: the
// products and features that the message names.
func (m *Models) Keywords(_ context.Context, in pipeline.Input) (any, error) {
	message, tags, err := taggedOf(in.Value)
	if err != nil {
		return nil, err
	}
	found, err := m.set.Keywords.Find(message, tags)
	if err != nil {
		return nil, poison("%w", err)
	}
	return Found{found}, nil
}

// Embedded is the result of Embed: a sparse vector of so many dimensions.
type Embedded struct {
	Embedding  text.Vector `json:"embedding"`
	Dimensions int         `json:"dimensions"`
}

// Embed takes {text} and returns {embedding: {indices, values}, dimensions}, the
// message's vector. It is a point of the space that Nearest searches.
func (m *Models) Embed(_ context.Context, in pipeline.Input) (any, error) {
	message, err := textOf(in.Value)
	if err != nil {
		return nil, err
	}
	return Embedded{m.set.Help.Embed(message), m.set.Help.Dimensions()}, nil
}

// Suggested is the result of Nearest.
type Suggested struct {
	Checklists []Suggestion `json:"checklists"`
}

// Suggestion is a checklist that may help, with its share of the votes.
type Suggestion struct {
	ID    string  `json:"id"`
	Title string  `json:"title"`
	Score float64 `json:"score"`
}

// Nearest takes {vector: {indices, values}} and returns {checklists: [{id,
// title, score}]}, the likeliest three first; none when the message shares no
// word with any known one.
func (m *Models) Nearest(_ context.Context, in pipeline.Input) (any, error) {
	v, err := vectorOf(in.Value, m.set.Help.Dimensions())
	if err != nil {
		return nil, err
	}
	out := Suggested{[]Suggestion{}}
	for _, vote := range m.set.Help.Nearest(v) {
		title := vote.Label // labels of somebody's own data have no checklist of ours
		if c, ok := m.checklists[vote.Label]; ok {
			title = c.Title
		}
		out.Checklists = append(out.Checklists, Suggestion{vote.Label, title, vote.Score})
	}
	return out, nil
}
