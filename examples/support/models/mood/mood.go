// Package mood tells whether a message is meant well or ill, by a lexicon of
// words of praise and blame with rules for negation, emphasis and contrast (the
// approach of Taboada et al. 2011, "Lexicon-Based Methods for Sentiment
// Analysis"). Nothing in it is trained.
package mood

import (
	"math"
	"strings"

	"github.com/leatdev/leat/examples/support/models/text"
)

// Mood is a score in [-1, 1], and its sign in words: "positive" above 0, else
// "negative", or "neutral" when no word of the message carries any weight.
type Mood struct {
	Label string  `json:"label"`
	Score float64 `json:"score"`
}

const (
	negationReach  = 4    // words that a "not" turns, up to the clause's end
	turnedPraise   = -0.7 // "not good" against "bad"
	turnedBlame    = -0.5 // "not bad" is no praise yet
	afterBut       = 1.5  // what comes after "but" is what is meant
	beforeBut      = 0.5
	shouted        = 1.25 // AMAZING among words that are not
	barePenalty    = -0.8 // "it does not hold": a negation that turns no word of the lexicon
	tooPenalty     = -1.2 // "too sweet"
	exclamationAdd = 1.15
	spread         = 8 // how fast the score saturates
)

// Score reads a message. It never fails: an empty text is neutral.
func (l *Lexicon) Score(message string) Mood {
	tokens := text.Tokens(message)
	words := make([]string, len(tokens))
	for i, t := range tokens {
		words[i] = text.Lower(strings.ReplaceAll(t, "’", "'"))
	}
	r := reading{lexicon: l, tokens: tokens, words: words, shouting: isUpper(message), weights: make([]float64, len(words))}
	r.read()
	sum := 0.0
	for _, w := range r.weights {
		sum += w
	}
	score := sum / math.Sqrt(sum*sum+spread)
	switch {
	case sum > 0:
		return Mood{"positive", score}
	case sum < 0:
		return Mood{"negative", score}
	}
	return Mood{"neutral", 0}
}

// reading is one message on its way to a score.
type reading struct {
	lexicon  *Lexicon
	tokens   []string
	words    []string
	weights  []float64
	shouting bool // the whole message is in capitals, so capitals say nothing
}

func (r *reading) read() {
	negated, bare := -1, -1 // place of the negation in force; of one that has turned nothing yet
	for i := 0; i < len(r.words); {
		w := r.words[i]
		weight, n := r.lexicon.lookup(r.words[i:])
		switch {
		case n > 0:
			r.weigh(i, n, weight, negated)
			if negated >= 0 && i-negated <= negationReach {
				bare = -1
			}
			if isNegation(w) { // a phrase of the lexicon that negates already
				negated, bare = -1, -1
			}
			i += n
			continue
		case isNegation(w):
			if !r.asks(i) {
				negated, bare = i, i
			}
		case isClauseEnd(w):
			r.settle(bare)
			negated, bare = -1, -1
		}
		if contrasts(w) {
			for j := range r.weights[:i] {
				r.weights[j] *= beforeBut
			}
			r.settle(bare)
			negated, bare = -1, -1
		}
		i++
	}
	r.settle(bare)
	r.emphasise()
}

// weigh notes the weight of the n words at i, turned or raised by those before.
func (r *reading) weigh(i, n int, weight float64, negated int) {
	for j := i - 1; j >= 0 && j >= i-2; j-- {
		weight *= emphasis(r.words[j])
	}
	if i > 0 && r.words[i-1] == "too" && weight > 0 && weight < 3 {
		weight = tooPenalty
	}
	if negated >= 0 && i-negated <= negationReach {
		if weight > 0 {
			weight *= turnedPraise
		} else {
			weight *= turnedBlame
		}
	}
	if isShouted(r.tokens[i]) && !r.shouting {
		weight *= shouted
	}
	r.weights[i] = weight
}

// settle counts a negation that turned no word of the lexicon as mild blame.
func (r *reading) settle(bare int) {
	if bare >= 0 {
		r.weights[bare] += barePenalty
	}
}

// asks tells a negation that only opens a question: "why don't", "can't you".
func (r *reading) asks(i int) bool {
	if i == 0 || i > 2 || r.words[len(r.words)-1] != "?" {
		return false
	}
	switch r.words[0] {
	case "why", "ca", "do", "does", "did", "is", "are", "was", "have", "has", "could", "would", "should", "wo":
		return true
	}
	return false
}

// emphasise applies what concerns the message as a whole: contrast and "!".
func (r *reading) emphasise() {
	factor := 1.0
	for i, w := range r.words {
		if contrasts(w) {
			factor = afterBut
		}
		r.weights[i] *= factor
	}
	for _, w := range r.words {
		if w[0] == '!' {
			for i := range r.weights {
				r.weights[i] *= exclamationAdd
			}
			return
		}
	}
}

func isShouted(token string) bool {
	return len(token) > 2 && isUpper(token)
}

func isUpper(s string) bool { return strings.ToUpper(s) == s && strings.ToLower(s) != s }

func isClauseEnd(w string) bool { return strings.Trim(w, ".!?;:,") == "" }

func contrasts(w string) bool { return w == "but" || w == "however" || w == "although" }

func isNegation(w string) bool {
	switch w {
	case "not", "n't", "no", "never", "nothing", "none", "nobody", "nowhere", "neither", "nor",
		"without", "hardly", "barely", "scarcely", "cant", "dont", "didnt", "doesnt", "wont", "isnt", "wasnt":
		return true
	}
	return false
}

// emphasis is the factor of a word that raises or lowers the next one; 1 for
// all others.
func emphasis(w string) float64 {
	switch w {
	case "very", "really", "so", "extremely", "absolutely", "totally", "completely", "super", "incredibly", "truly",
		"highly", "utterly", "especially", "such", "most", "insanely", "beyond", "exceptionally":
		return 1.35
	case "slightly", "somewhat", "bit", "little", "kinda", "kind", "rather", "mildly", "fairly", "almost", "sort":
		return 0.6
	}
	return 1
}

// TwoWay is "positive" or "negative" and nothing between: a message without any
// word of the lexicon counts as negative, for praise names what it praises more
// often than blame does.
func (m Mood) TwoWay() string {
	if m.Score > 0 {
		return "positive"
	}
	return "negative"
}
