package keywords

import (
	"fmt"
	"strings"

	"github.com/leatdev/leat/examples/support/models/tagger"
	"github.com/leatdev/leat/examples/support/models/text"
)

// span is a candidate: words [from, to) of a message.
type span struct {
	from, to int
	name     string // as the text spells it, in lower case
}

// longest is the number of words of the longest candidate.
const longest = 4

// spansOf groups the candidates of a message by the noun they end with. Each
// group holds the ends of one noun phrase, the longest first: "new debit card",
// "debit card", "card".
func spansOf(message string, tags tagger.Sentence) ([][]span, error) {
	places, err := locate(message, tags)
	if err != nil {
		return nil, err
	}
	var groups [][]span
	for end := 1; end <= len(tags); end++ {
		if !isNoun(tags[end-1]) || end < len(tags) && continues(tags, end) {
			continue
		}
		from := end - 1
		for from > 0 && end-from < longest && extends(tags, from) {
			from--
		}
		var group []span
		for ; from < end; from++ {
			if tags[from].Tag == "PUNCT" {
				continue
			}
			name := text.Lower(message[places[from].begin:places[end-1].end])
			group = append(group, span{from, end, name})
		}
		groups = append(groups, group)
	}
	return groups, nil
}

func isNoun(w tagger.Word) bool { return w.Tag == "NOUN" || w.Tag == "PROPN" }

func isHyphen(w tagger.Word) bool { return w.Word == "-" }

// continues tells that the noun phrase goes on at the word at i.
func continues(tags tagger.Sentence, i int) bool {
	return isNoun(tags[i]) || isHyphen(tags[i]) && i+1 < len(tags) &&
		(isNoun(tags[i+1]) || tags[i+1].Tag == "ADP")
}

// extends tells that the word before from belongs to the phrase.
func extends(tags tagger.Sentence, from int) bool {
	before := tags[from-1]
	return isNoun(before) || before.Tag == "ADJ" || isHyphen(before) && from > 1 ||
		from < len(tags) && isHyphen(tags[from])
}

// place is where a word lies in the text, in bytes.
type place struct{ begin, end int }

// locate finds the tagged words in the text.
func locate(message string, tags tagger.Sentence) ([]place, error) {
	places := make([]place, len(tags))
	at := 0
	for i, w := range tags {
		begin := strings.Index(message[at:], w.Word)
		if begin < 0 || w.Word == "" {
			return nil, fmt.Errorf("tags[%d]: the word %q is not in the text behind the words before it: "+
				"send the text that the tags were made of", i, w.Word)
		}
		places[i] = place{at + begin, at + begin + len(w.Word)}
		at = places[i].end
	}
	return places, nil
}
