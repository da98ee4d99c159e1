// Package card says in one line what a model was made of and how good it is.
package card

import "fmt"

// Card is what a model states about itself.
type Card struct {
	// Model is its name, as in the pipeline file.
	Model string `json:"model"`
	// Data is what it was made of.
	Data string `json:"data"`
	// Licence is the licence of Data.
	Licence string `json:"licence"`
	// Measure is what Baseline and Score count, "accuracy" for example.
	Measure string `json:"measure"`
	// Baseline is what the simplest model reaches on the same examples, and
	// BaselineIs says what that model does.
	Baseline   float64 `json:"baseline"`
	BaselineIs string  `json:"baseline_is"`
	// Score is what this model reaches on Examples held-out examples.
	Score    float64 `json:"score"`
	Examples int     `json:"examples"`
}

// String is the card as one line.
func (c Card) String() string {
	return fmt.Sprintf("%s: %s (%s); %s %.3f on %d held-out examples, baseline %.3f (%s)",
		c.Model, c.Data, c.Licence, c.Measure, c.Score, c.Examples, c.Baseline, c.BaselineIs)
}
