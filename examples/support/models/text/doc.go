// Package text turns a message into words and words into sparse vectors: what
// every model of the example starts from.
//
// Words follow the tokenisation of Universal Dependencies for English
// (https://universaldependencies.org/en/tokenization.html): contractions are
// two words ("do" + "n't"), a hyphen is a word of its own. The same rules are
// written a second time in ../../python/tagger.py; a test compares the two.
package text
