package suite

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	s, err := Parse("list", "# a list\nversion v1\npassed 2\nwithout TestA needs b\nskipped TestB/c its reason\nfailed TestD why\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Suite{"v1", 2, []Absent{{"TestA", "needs b"}}, []Absent{{"TestB/c", "its reason"}}, []Absent{{"TestD", "why"}}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v, want %+v", s, want)
	}
	for text, reason := range map[string]string{
		"version v1\npassed 2\nwithout TestA\n": "list:3: TestA has no reason",
		"version v1\npassed two\n":              "list:2",
		"version v1\npassed 2\nmissing TestA\n": `list:3: "missing" is none of`,
		"passed 2\n":                            "must say a version",
	} {
		if _, err := Parse("list", text); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %v, want %q", text, err, reason)
		}
	}
}

func TestRead(t *testing.T) {
	r := Read("--- PASS: TestA (0.00s)\n    --- PASS: TestA/b (0.00s)\n--- FAIL: TestC (1.00s)\n    --- SKIP: TestC/d (0.00s)\nsome text --- PASS: TestE (0.00s)\n")
	want := Results{[]string{"TestA"}, []string{"TestC"}, []string{"TestC/d"}}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestSkip(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{{nil, ""}, {[]string{"TestA", "TestB"}, "^TestA$|^TestB$"}, {[]string{"TestA/b"}, "^TestA$/^b$"}} {
		var s Suite
		for _, n := range c.names {
			s.Without = append(s.Without, Absent{Name: n})
		}
		if got, err := s.Skip(); err != nil || got != c.want {
			t.Errorf("%v: %q, %v, want %q", c.names, got, err, c.want)
		}
	}
	s := Suite{Without: []Absent{{Name: "TestA/b"}, {Name: "TestC"}}}
	if got, err := s.Skip(); err == nil {
		t.Errorf("a subtest among others: %q", got)
	}
}
