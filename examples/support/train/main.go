// Command train makes the example's models and prints one line about each.
//
//	go run ./examples/support/train                      # the example's own data, into its weights folder
//	go run ./examples/support/train FILES --out DIR      # your files; what they do not cover comes from the example's own
//
// FILES are told by their ends:
//
//	.csv     columns text and category: intents and nearest checklists (BANKING77's layout)
//	.conllu  tagged sentences: the tagger
//	.jsonl   labelled messages as in data/messages.jsonl: class, keywords and the measure of sentiment
//
// A fifth of each file is kept out of training and measured; messages that carry
// a split keep theirs. `serve --weights DIR` runs the result.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/leatdev/leat/examples/support/models"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var out string
	flags := flag.NewFlagSet("train", flag.ContinueOnError)
	flags.StringVar(&out, "out", "", "folder for the weights; without files it is examples/support/weights")
	var files []string
	for { // flags may follow files
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil
		} else if err != nil {
			return err
		}
		if flags.NArg() == 0 {
			break
		}
		files, args = append(files, flags.Arg(0)), flags.Args()[1:]
	}
	if out == "" && len(files) > 0 {
		return errors.New("say with --out DIR where the weights go; the shipped ones are made from the example's own data only")
	}
	if out == "" {
		out = "examples/support/weights"
		if _, err := os.Stat(out); err != nil {
			return fmt.Errorf("run this from the repository's root, or give --out DIR: %w", err)
		}
	}
	corpus, err := models.Own()
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := read(&corpus, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	set, err := models.Train(corpus)
	if err != nil {
		return err
	}
	if err := set.Save(out); err != nil {
		return err
	}
	for _, c := range set.Cards {
		fmt.Println(c)
	}
	return nil
}
