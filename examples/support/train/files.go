package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/leatdev/leat/examples/support/data"
	"github.com/leatdev/leat/examples/support/models"
	"github.com/leatdev/leat/examples/support/models/tagger"
)

// keptOut is the share of a file that is measured instead of trained on: one in
// so many.
const keptOut = 5

// read puts a file's content in the place of the example's own.
func read(c *models.Corpus, name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	source := models.Source{Name: filepath.Base(name), Licence: "of the file's owner"}
	switch filepath.Ext(name) {
	case ".csv":
		c.Topics, err = readTopics(in)
		c.Sources.Topics = source
	case ".conllu":
		var sentences []tagger.Sentence
		sentences, err = tagger.ReadCoNLLU(in)
		c.Tagged, c.TaggedHeldOut = nil, nil
		for i, s := range sentences {
			if isKeptOut(i) {
				c.TaggedHeldOut = append(c.TaggedHeldOut, s)
			} else {
				c.Tagged = append(c.Tagged, s)
			}
		}
		c.Sources.Tagged = source
	case ".jsonl":
		c.Messages, err = data.ReadMessages(in)
		for i := range c.Messages {
			if m := &c.Messages[i]; m.Split == "" && isKeptOut(i) {
				m.Split = "heldout"
			}
		}
		c.Sources.Messages = source
	default:
		err = errors.New("this is no .csv, .conllu or .jsonl file; see `go doc ./examples/support/train`")
	}
	return err
}

func isKeptOut(i int) bool { return i%keptOut == keptOut-1 }

// readTopics reads a CSV file with a head line that names the columns text and
// category, in any order and among others.
func readTopics(r io.Reader) ([]models.Topic, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) < 2 {
		return nil, errors.New("there is no row below the head line")
	}
	text, category := slices.Index(rows[0], "text"), slices.Index(rows[0], "category")
	if text < 0 || category < 0 {
		return nil, fmt.Errorf("the head line is %q: it must name the columns text and category", rows[0])
	}
	var topics []models.Topic
	for i, row := range rows[1:] {
		topics = append(topics, models.Topic{Text: row[text], Label: row[category], HeldOut: isKeptOut(i)})
	}
	return topics, nil
}
