// Package story plays the stories that state machines are tested by: text files of
// commands, each group of them followed by a line "----" and by what came of it, up to
// an empty line. Lines that begin with # are for people. It is for tests alone.
package story

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// World is what a story happens in: a machine with all that is around it.
type World interface {
	// Do carries out a command, one line. The error says that the story is wrong.
	Do(line string) error
	// Told returns what has come of the commands since it was called last, in whole
	// lines.
	Told() string
}

// Play plays testdata/*.txt of the package under test, each as a test of its own in a
// new world. With rewrite, the package's flag -rewrite, what came of the commands is
// written anew: read the difference.
func Play(t *testing.T, rewrite bool, world func() World) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			is, err := play(string(text), world())
			switch {
			case err != nil:
			case rewrite:
				err = os.WriteFile(file, []byte(is), 0o644)
			default:
				err = same(string(text), is)
			}
			if err != nil {
				t.Fatalf("%s:%v", file, err)
			}
		})
	}
}

// play returns the story as it went.
func play(text string, w World) (string, error) {
	var is strings.Builder
	var commands []string
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		is.WriteString(lines[i] + "\n")
		if lines[i] != "----" {
			if lines[i] != "" && !strings.HasPrefix(lines[i], "#") {
				commands = append(commands, lines[i])
			}
			continue
		}
		for i+1 < len(lines) && lines[i+1] != "" {
			i++ // what came of it before
		}
		for _, c := range commands {
			if err := w.Do(c); err != nil {
				return "", fmt.Errorf("%d: %q: %w", i+1, c, err)
			}
		}
		commands = nil
		is.WriteString(w.Told())
	}
	if len(commands) > 0 {
		return "", fmt.Errorf("%d: %q has no ---- after it", len(lines), commands)
	}
	return is.String(), nil
}

// same says which line is the first that differs, if one does.
func same(said, is string) error {
	want := strings.Split(strings.TrimRight(said, "\n"), "\n")
	got := strings.Split(strings.TrimRight(is, "\n"), "\n")
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			return fmt.Errorf("%d: the story says\n\t%s\nbut it went\n\t%s", i+1, line(want, i), line(got, i))
		}
	}
	return nil
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing more)"
}
