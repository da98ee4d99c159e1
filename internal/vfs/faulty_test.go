package vfs

import (
	"errors"
	"reflect"
	"syscall"
	"testing"
)

func TestRules(t *testing.T) {
	f := NewFaulty(NewMem())
	a, b := write(t, f, "a.wal", "abc"), write(t, f, "b.log", "abc")
	r := f.Add(Rule{Op: OpSync, Name: "*.wal", After: 2, Times: 2, Err: syscall.EIO})
	var got []bool
	for range 6 {
		got = append(got, a.Sync() == nil)
		must(t, b.Sync())
	}
	if want := []bool{true, true, false, false, true, true}; !reflect.DeepEqual(got, want) || f.Hits(r) != 2 {
		t.Errorf("%v, %d hits", got, f.Hits(r))
	}
	f.Add(Rule{Op: OpRead, Name: "b.log", Err: syscall.EIO})
	if _, err := b.ReadAt(make([]byte, 1), 0); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	f.Clear()
	if _, err := b.ReadAt(make([]byte, 1), 0); err != nil {
		t.Error(err)
	}
	must(t, f.MkdirAll("d/e"))
	f.Add(Rule{Op: OpCreate | OpRename, Name: "d/e/*", Err: ErrNoSpace})
	if _, err := f.Create("d/e/x"); !errors.Is(err, ErrNoSpace) {
		t.Error(err)
	}
	if err := f.Rename("a.wal", "d/e/a"); !errors.Is(err, ErrNoSpace) {
		t.Error(err)
	}
	wantNames(t, f, "d/e")
	write(t, f, "d/x", "").Close()
}

func TestFailedWriteLeavesAPart(t *testing.T) {
	f := NewFaulty(NewMem())
	a := write(t, f, "a", "....")
	f.Add(Rule{Op: OpWrite, Times: 2, Err: ErrNoSpace, Written: 3})
	if n, err := a.WritevAt([][]byte{[]byte("ab"), []byte("cd")}, 0); n != 3 || !errors.Is(err, ErrNoSpace) {
		t.Error(n, err)
	}
	if n, err := a.WriteAt([]byte("x"), 3); n != 1 || !errors.Is(err, ErrNoSpace) {
		t.Error(n, err)
	}
	if got := content(t, f, "a"); got != "abcx" {
		t.Errorf("%q", got)
	}
}

func TestFlippedBit(t *testing.T) {
	f := NewFaulty(NewMem())
	write(t, f, "a", "aaaa").Close()
	f.Add(Rule{Op: OpRead, FlipBit: true, FlipAt: 2*8 + 1})
	if got := content(t, f, "a"); got != "aaca" {
		t.Errorf("%q", got)
	}
	a, err := f.OpenRead("a")
	must(t, err)
	p := make([]byte, 2)
	if _, err := a.ReadAt(p, 0); err != nil || string(p) != "aa" {
		t.Errorf("%q, %v", p, err)
	}
}

func TestGateHoldsOneClassOfFiles(t *testing.T) {
	f := NewFaulty(NewMem())
	a, b := write(t, f, "a.wal", ""), write(t, f, "b.log", "")
	g := f.Gate(OpSync, "*.wal")
	done := make(chan error)
	go func() { done <- a.Sync() }()
	if name := <-g.Arrived(); name != "a.wal" {
		t.Error(name)
	}
	must(t, b.Sync())
	select {
	case <-done:
		t.Fatal("the gate is open")
	default:
	}
	g.Open()
	must(t, <-done)
	must(t, a.Sync())
	g.Open()
}

func TestHookSeesTheMomentBefore(t *testing.T) {
	m := NewMem()
	f := NewFaulty(m)
	var sizes []int
	f.Hook(func(op Op, name string) {
		if op&OpChange != 0 {
			sizes = append(sizes, len(m.Crash(KeepAll, 0).root.entries))
		}
	})
	write(t, f, "a", "x").Close()
	must(t, f.Remove("a"))
	if want := []int{0, 1, 1}; !reflect.DeepEqual(sizes, want) {
		t.Errorf("%v, want %v", sizes, want)
	}
}
