package models

import (
	"slices"

	"github.com/leatdev/leat/examples/support/data"
	"github.com/leatdev/leat/examples/support/models/card"
	"github.com/leatdev/leat/examples/support/models/class"
	"github.com/leatdev/leat/examples/support/models/help"
	"github.com/leatdev/leat/examples/support/models/intent"
	"github.com/leatdev/leat/examples/support/models/keywords"
	"github.com/leatdev/leat/examples/support/models/mood"
	"github.com/leatdev/leat/examples/support/models/tagger"
)

// Corpus is what a set of models is trained on and measured with.
type Corpus struct {
	Lexicon *mood.Lexicon
	// Tagged and TaggedHeldOut are sentences for the tagger.
	Tagged, TaggedHeldOut []tagger.Sentence
	// Products are the names of the catalogue.
	Products []string
	// Messages are for the class and the keywords, split by their own field.
	Messages []data.Message
	// Topics are for intents and checklists.
	Topics []Topic
	// Sources say for the cards where the three came from.
	Sources Sources
}

// Topic is a text with what it is about.
type Topic struct {
	Text, Label string
	HeldOut     bool
}

// Source names data and its licence.
type Source struct{ Name, Licence string }

// Sources are the sources of a Corpus.
type Sources struct{ Tagged, Messages, Topics Source }

// Own is the corpus that the example carries.
func Own() (Corpus, error) {
	source := Source{"", "the project's own"}
	named := func(s string) Source { source.Name = s; return source }
	c := Corpus{Sources: Sources{
		Tagged:   named("sentences of the example, tagged by hand"),
		Messages: named("messages of the example"),
		Topics:   named("messages of the example and the lines of its checklists"),
	}}
	var err error
	if c.Lexicon, err = data.Lexicon(); err != nil {
		return c, err
	}
	if c.Tagged, c.TaggedHeldOut, err = data.Tagged(); err != nil {
		return c, err
	}
	if c.Messages, err = data.Messages(); err != nil {
		return c, err
	}
	if c.Products, err = data.Products(); err != nil {
		return c, err
	}
	checklists, err := data.Checklists()
	c.Topics = TopicsOf(c.Messages, checklists)
	return c, err
}

// TopicsOf are the messages that have a checklist, and the lines of the
// checklists themselves.
func TopicsOf(messages []data.Message, checklists []data.Checklist) []Topic {
	var topics []Topic
	for _, c := range checklists {
		for _, line := range slices.Concat([]string{c.Title}, c.Steps, c.AskedAs) {
			topics = append(topics, Topic{Text: line, Label: c.ID})
		}
	}
	for _, m := range messages {
		if m.Checklist != "" {
			topics = append(topics, Topic{m.Text, m.Checklist, m.HeldOut()})
		}
	}
	return topics
}

// Train makes all models from a corpus and measures each on what it was not
// trained with. The same corpus makes the same set.
func Train(c Corpus) (*Set, error) {
	s := &Set{Mood: c.Lexicon}
	s.addCard(moodCard(s, c))
	s.trainTagger(c)
	s.trainClass(c)
	if err := s.trainKeywords(c); err != nil {
		return nil, err
	}
	s.trainTopics(c)
	return s, nil
}

func (s *Set) addCard(c card.Card) { s.Cards = append(s.Cards, c) }

func (s *Set) trainTagger(c Corpus) {
	s.Tagger = tagger.Train(c.Tagged)
	words := 0
	for _, sentence := range c.TaggedHeldOut {
		words += len(sentence)
	}
	s.addCard(card.Card{Model: TaggerName, Data: c.Sources.Tagged.Name, Licence: c.Sources.Tagged.Licence,
		Measure: "accuracy", Score: s.Tagger.Accuracy(c.TaggedHeldOut), Examples: words,
		Baseline: tagger.MostFrequent(c.Tagged).Accuracy(c.TaggedHeldOut), BaselineIs: "most frequent tag of the word"})
}

func (s *Set) trainClass(c Corpus) {
	var examples []class.Example
	var labels, gold, guess []string
	for _, m := range c.Messages {
		if !m.HeldOut() {
			examples = append(examples, class.Example{Text: m.Text, Tags: s.Tagger.Tag(m.Text), Class: m.Class})
			labels = append(labels, m.Class)
		}
	}
	s.Class = class.Train(examples, c.Lexicon)
	for _, m := range c.Messages {
		if m.HeldOut() {
			gold, guess = append(gold, m.Class), append(guess, s.Class.Predict(m.Text, s.Tagger.Tag(m.Text)).Name)
		}
	}
	s.addCard(card.Card{Model: ClassName, Data: c.Sources.Messages.Name, Licence: c.Sources.Messages.Licence,
		Measure: "macro-F1", Score: card.MacroF1(gold, guess), Examples: len(gold),
		Baseline: card.MacroF1(gold, always(card.Commonest(labels), len(gold))), BaselineIs: "always the commonest class"})
}

func (s *Set) trainKeywords(c Corpus) (err error) {
	var examples, heldOut []keywords.Example
	for _, m := range c.Messages {
		e := keywords.Example{Text: m.Text, Tags: s.Tagger.Tag(m.Text), Products: m.Products}
		if m.HeldOut() {
			heldOut = append(heldOut, e)
		} else {
			examples = append(examples, e)
		}
	}
	if s.Keywords, err = keywords.Train(examples, c.Products); err != nil {
		return err
	}
	score, err := s.Keywords.F1(heldOut)
	if err != nil {
		return err
	}
	baseline, err := keywords.EveryNoun(heldOut)
	s.addCard(card.Card{Model: KeywordsName, Data: c.Sources.Messages.Name, Licence: c.Sources.Messages.Licence,
		Measure: "F1", Score: score, Examples: len(heldOut),
		Baseline: baseline, BaselineIs: "every noun phrase"})
	return err
}

func (s *Set) trainTopics(c Corpus) {
	var texts, labels, heldTexts, gold []string
	for _, t := range c.Topics {
		if t.HeldOut {
			heldTexts, gold = append(heldTexts, t.Text), append(gold, t.Label)
		} else {
			texts, labels = append(texts, t.Text), append(labels, t.Label)
		}
	}
	s.Intent, s.Help = intent.Train(texts, labels), help.Train(texts, labels)
	guess, suggested := make([]string, len(gold)), make([]string, len(gold))
	for i, t := range heldTexts {
		guess[i] = s.Intent.Predict(t).Name
		for _, vote := range s.Help.Nearest(s.Help.Embed(t)) {
			if vote.Label == gold[i] {
				suggested[i] = vote.Label
			}
		}
	}
	commonest := card.Accuracy(gold, always(card.Commonest(labels), len(gold)))
	made := card.Card{Data: c.Sources.Topics.Name, Licence: c.Sources.Topics.Licence, Measure: "accuracy",
		Examples: len(gold), Baseline: commonest, BaselineIs: "always the commonest label"}
	made.Model, made.Score = IntentName, card.Accuracy(gold, guess)
	s.addCard(made)
	made.Model, made.Score, made.Measure = HelpName, card.Accuracy(gold, suggested), "top-3 accuracy"
	s.addCard(made)
}

// moodCard measures the lexicon on the held-out messages that are not neutral.
func moodCard(s *Set, c Corpus) card.Card {
	var gold, guess []string
	for _, m := range c.Messages {
		if m.HeldOut() && m.Sentiment != "neutral" {
			gold, guess = append(gold, m.Sentiment), append(guess, s.Mood.Score(m.Text).TwoWay())
		}
	}
	return card.Card{Model: MoodName, Data: "lexicon written for the example, rules, nothing trained", Licence: "the project's own",
		Measure: "two-way accuracy", Score: card.Accuracy(gold, guess), Examples: len(gold),
		Baseline: card.Accuracy(gold, always(card.Commonest(gold), len(gold))), BaselineIs: "always the commonest label"}
}

func always(label string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = label
	}
	return all
}
