package class

import (
	"math"
	"strconv"
	"strings"

	"github.com/leatdev/leat/examples/support/models/mood"
	"github.com/leatdev/leat/examples/support/models/tagger"
	"github.com/leatdev/leat/examples/support/models/text"
)

// signals are what can be said of a message without naming its subject: how it
// is built, whom it speaks of, and its mood.
func signals(message string, tags tagger.Sentence, lexicon *mood.Lexicon) []string {
	m := lexicon.Score(message)
	found := []string{"mood=" + m.Label, "mood=" + strconv.Itoa(int(math.Round(m.Score*3)))}
	if strings.Contains(message, "?") {
		found = append(found, "question")
	}
	if strings.Contains(message, "!") {
		found = append(found, "exclamation")
	}
	if len(tags) > 0 {
		found = append(found, "length="+strconv.Itoa(min(bits(len(tags)), 5)))
	}
	before := "^"
	for i, w := range tags {
		if i < 3 {
			found = append(found, "begins="+before+" "+w.Tag)
		}
		found = append(found, "has="+w.Tag)
		if w.Tag == "PRON" || w.Tag == "AUX" || w.Tag == "PART" || w.Tag == "ADV" && i == 0 {
			found = append(found, "says="+w.Tag+" "+text.Lower(w.Word))
		}
		if before == "PRON" && (w.Tag == "AUX" || w.Tag == "VERB") && i > 0 {
			found = append(found, "who="+text.Lower(tags[i-1].Word)+" "+w.Tag)
		}
		before = w.Tag
	}
	return found
}

// bits is how often n can be halved.
func bits(n int) int {
	k := 0
	for ; n > 1; n /= 2 {
		k++
	}
	return k
}
