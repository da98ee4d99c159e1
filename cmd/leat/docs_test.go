package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/internal/cli"
)

// calls finds the calls of leat in lines of shell: their arguments, one list a
// call. Quotes, pipes, comments and redirections are understood as far as
// examples need them.
func calls(script string) [][]string {
	var found [][]string
	for _, line := range strings.Split(strings.ReplaceAll(script, "\\\n", " "), "\n") {
		var words []string
		flush := func() {
			switch {
			case len(words) > 0 && (words[0] == "leat" || words[0] == "bin/leat"):
				found = append(found, words[1:])
			case len(words) > 2 && words[0] == "go" && words[1] == "run" && words[2] == "./cmd/leat":
				found = append(found, words[3:])
			}
			words = nil
		}
		for _, token := range shellTokens(line) {
			if token == "|" || token == "&" || token == ";" || token == "<" || token == ">" || token == "#" {
				flush()
				if token == "#" {
					break
				}
				continue
			}
			words = append(words, token)
		}
		flush()
	}
	return found
}

// shellTokens splits a line; quoted text keeps its spaces, operators stand alone.
func shellTokens(line string) []string {
	var tokens []string
	var word strings.Builder
	inWord := false
	end := func() {
		if inWord {
			tokens = append(tokens, word.String())
		}
		word.Reset()
		inWord = false
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'' || c == '"':
			inWord = true
			if n := strings.IndexByte(line[i+1:], c); n >= 0 {
				word.WriteString(line[i+1 : i+1+n])
				i += n + 1
			}
		case c == ' ' || c == '\t':
			end()
		case strings.IndexByte("|&;<>", c) >= 0 || c == '#' && !inWord:
			end()
			tokens = append(tokens, string(c))
		case c == '$' && strings.HasPrefix(line[i:], "$("): // a number, whatever it is
			inWord = true
			word.WriteByte('1')
			i += max(0, strings.IndexByte(line[i:], ')'))
		default:
			inWord = true
			word.WriteByte(c)
		}
	}
	end()
	return tokens
}

func TestCallsInShell(t *testing.T) {
	t.Parallel()
	got := calls(`printf 'a\tb\n' | bin/leat produce x -f '%k\t%v\n' & sleep 1
leat topic list   # all of them
cat leat.yaml
go run ./cmd/leat bench --pid $(pgrep -x leat) && leat version`)
	want := []string{`produce x -f %k\t%v\n`, "topic list", "bench --pid 1", "version"}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range got {
		if strings.Join(got[i], " ") != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

// valid tells whether the program would take these arguments.
func valid(args []string) error {
	root := (&app{World: cli.World{}}).root()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if help, _ := cmd.Flags().GetBool("help"); help || cmd.Args == nil {
		return nil
	}
	return cmd.Args(cmd, cmd.Flags().Args())
}

// What documents tell people to paste exists: every call of leat in them names a
// command, its flags, and the right number of arguments.
func TestDocumentsCallWhatExists(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/*/*.md", "../../examples/*/*.md", "../../examples/*/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	block := regexp.MustCompile("(?ms)^```(?:sh|shell|bash)?\n(.*?)^```")
	checked := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			for _, args := range calls(m[1]) {
				checked++
				if err := valid(args); err != nil {
					t.Errorf("%s: leat %s: %v", file, strings.Join(args, " "), err)
				}
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d calls were found: are the documents where they were?", checked)
	}
}

// The examples in --help are true, too.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	root := (&app{World: cli.World{}}).root()
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Name() == "completion" {
			return
		}
		for _, args := range calls(strings.ReplaceAll(c.Example, "  ", "")) {
			if err := valid(args); err != nil {
				t.Errorf("%s: leat %s: %v", c.CommandPath(), strings.Join(args, " "), err)
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	if err := valid([]string{"topic", "create", "--nope", "x"}); err == nil {
		t.Error("a flag that does not exist is valid")
	}
	if err := valid([]string{"topic", "create"}); err == nil {
		t.Error("a missing argument is valid")
	}
}
