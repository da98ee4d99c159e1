package text

import "strings"

// Terms are what TFIDF counts in a message: its words, the pairs of neighbours
// ("top_up"), and the pieces of four runes of each word ("~char", its ends
// marked), which are what is left of a word when it is misspelt.
func Terms(s string) []string {
	words := Words(s)
	terms := make([]string, 0, 8*len(words))
	for i, w := range words {
		terms = append(terms, w)
		if i > 0 {
			terms = append(terms, words[i-1]+"_"+w)
		}
	}
	for _, w := range words {
		runes := []rune("<" + w + ">")
		for i := 0; i+4 <= len(runes); i++ {
			terms = append(terms, "~"+string(runes[i:i+4]))
		}
	}
	return terms
}

// Words are the lower-case tokens that carry meaning: words, numbers, question
// marks and emoji. A curly apostrophe counts as a straight one.
func Words(s string) []string {
	var words []string
	for _, token := range Tokens(s) {
		if isPunctuation(token) {
			continue
		}
		words = append(words, Lower(strings.ReplaceAll(token, "’", "'")))
	}
	return words
}

func isPunctuation(token string) bool {
	return strings.Trim(token, ".,!;:-()[]{}\"“”'’‘*_=~/\\…–—") == ""
}
