package flow

import (
	"slices"
	"testing"
)

func TestCheckpointsWaitForCommits(t *testing.T) {
	var c checkpoints
	committed := map[string]int64{}
	reached := func() (int64, []string) {
		m, ok := c.reached(func(topic string) int64 { return committed[topic] })
		if !ok {
			return -1, nil
		}
		return m.end, m.forgets
	}
	c.mark(10, map[string]int64{"a": 5, "b": 7})
	if end, _ := reached(); end != -1 {
		t.Errorf("reached %d with nothing committed", end)
	}
	committed["a"], committed["b"] = 5, 6
	if end, _ := reached(); end != -1 {
		t.Errorf("reached %d with b not committed", end)
	}
	c.forget("row 1")
	c.mark(12, map[string]int64{"a": 6, "b": 8})
	c.forget("row 2")
	c.mark(12, map[string]int64{"a": 9, "b": 9})
	c.mark(12, map[string]int64{"a": 99, "b": 99}) // nothing new came out: no mark
	committed["b"] = 7
	if end, forgets := reached(); end != 10 || len(forgets) != 0 {
		t.Errorf("reached %d and forgets %v, want 10 and nothing", end, forgets)
	}
	committed["a"], committed["b"] = 9, 9
	if end, forgets := reached(); end != 12 || !slices.Equal(forgets, []string{"row 1", "row 2"}) {
		t.Errorf("reached %d and forgets %v", end, forgets)
	}
	if end, _ := reached(); end != -1 {
		t.Errorf("reached %d twice", end)
	}
}
