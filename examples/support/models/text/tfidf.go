package text

import (
	"math"
	"slices"
)

// Vector is a sparse vector: Indices ascending, Values of the same length.
type Vector struct {
	Indices []int32   `json:"indices"`
	Values  []float32 `json:"values"`
}

// TFIDF weighs terms by how rare they are among the texts it was fitted on:
// (1 + ln tf) · (ln((1+n)/(1+df)) + 1), the vector then scaled to length 1, as
// scikit-learn's TfidfVectorizer(sublinear_tf=True) does. Read only after Fit.
type TFIDF struct {
	// Terms are the known terms; a term's place is its index in a Vector.
	Terms []string `json:"terms"`
	// IDF is each term's weight.
	IDF []float32 `json:"idf"`

	index map[string]int32
}

// Fit makes the vocabulary of all terms found in at least minDF of docs, each
// of them a list of terms. The same docs make the same TFIDF.
func Fit(docs [][]string, minDF int) *TFIDF {
	df := map[string]int{}
	for _, doc := range docs {
		seen := map[string]bool{}
		for _, term := range doc {
			if !seen[term] {
				seen[term] = true
				df[term]++
			}
		}
	}
	t := &TFIDF{}
	for term, n := range df {
		if n >= minDF {
			t.Terms = append(t.Terms, term)
		}
	}
	slices.Sort(t.Terms)
	for _, term := range t.Terms {
		t.IDF = append(t.IDF, float32(math.Log(float64(1+len(docs))/float64(1+df[term]))+1))
	}
	t.Index()
	return t
}

// Index prepares a TFIDF that was decoded rather than fitted.
func (t *TFIDF) Index() {
	t.index = make(map[string]int32, len(t.Terms))
	for i, term := range t.Terms {
		t.index[term] = int32(i)
	}
}

// Vector is the vector of a list of terms; empty when none of them is known.
func (t *TFIDF) Vector(terms []string) Vector {
	counts := map[int32]float64{}
	for _, term := range terms {
		if i, ok := t.index[term]; ok {
			counts[i]++
		}
	}
	v := Vector{Indices: make([]int32, 0, len(counts)), Values: make([]float32, 0, len(counts))}
	for i := range counts {
		v.Indices = append(v.Indices, i)
	}
	slices.Sort(v.Indices)
	var norm float64
	for _, i := range v.Indices {
		w := (1 + math.Log(counts[i])) * float64(t.IDF[i])
		norm += w * w
		v.Values = append(v.Values, float32(w))
	}
	for i := range v.Values {
		v.Values[i] /= float32(math.Sqrt(norm))
	}
	return v
}
