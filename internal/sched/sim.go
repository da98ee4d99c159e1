//go:build sim

package sched

import (
	"encoding/binary"
	"sync"
	"time"
)

// Go runs fn as a task of its own.
func Go(fn func()) {
	if w := enter(); !w.dying {
		w.spawn(fn)
		w.maybe()
	}
}

// Yield lets another task go on, or the same.
func Yield() { enter().point() }

// Now is the World's clock.
func Now() time.Time {
	w := enter()
	return w.start.Add(w.clock)
}

// Random fills p from the World's seed.
func Random(p []byte) {
	w := enter()
	var b [8]byte
	for len(p) > 0 {
		binary.LittleEndian.PutUint64(b[:], w.rng.Uint64())
		p = p[copy(p, b[:]):]
	}
}

// line is a row of tasks that wait.
type line []*task

func (l *line) wait(w *World, why string) {
	*l = append(*l, w.current)
	w.block(why)
}

func (l *line) first(w *World) {
	if len(*l) > 0 {
		t := (*l)[0]
		*l = (*l)[1:]
		w.wake(t)
	}
}

func (l *line) all(w *World) {
	for len(*l) > 0 {
		l.first(w)
	}
}

// Mutex is sync.Mutex. Whoever waits may get it, in any order.
type Mutex struct {
	held bool
	wait line
}

// Lock implements sync.Locker.
func (m *Mutex) Lock() {
	w := enter()
	if w.dying {
		return
	}
	w.maybe()
	for m.held {
		m.wait.wait(w, "a lock")
	}
	m.held = true
}

// TryLock is Lock for those who would not wait.
func (m *Mutex) TryLock() bool {
	if m.held {
		return false
	}
	m.held = true
	return true
}

// Unlock implements sync.Locker.
func (m *Mutex) Unlock() {
	w := enter()
	if w.dying {
		return
	}
	if !m.held {
		panic("sched: unlock of an unlocked Mutex")
	}
	m.held = false
	m.wait.all(w)
	w.maybe()
}

// RWMutex is sync.RWMutex: readers do not overtake a writer who waits.
type RWMutex struct {
	readers int
	held    bool
	writers int // who wait
	wait    line
}

// Lock locks for writing.
func (m *RWMutex) Lock() {
	w := enter()
	if w.dying {
		return
	}
	w.maybe()
	m.writers++
	for m.held || m.readers > 0 {
		m.wait.wait(w, "a lock, to write")
	}
	m.writers--
	m.held = true
}

// Unlock ends Lock.
func (m *RWMutex) Unlock() {
	w := enter()
	if w.dying {
		return
	}
	if !m.held {
		panic("sched: unlock of an unlocked RWMutex")
	}
	m.held = false
	m.wait.all(w)
	w.maybe()
}

// RLock locks for reading.
func (m *RWMutex) RLock() {
	w := enter()
	if w.dying {
		return
	}
	w.maybe()
	for m.held || m.writers > 0 {
		m.wait.wait(w, "a lock, to read")
	}
	m.readers++
}

// RUnlock ends RLock.
func (m *RWMutex) RUnlock() {
	w := enter()
	if w.dying {
		return
	}
	if m.readers == 0 {
		panic("sched: RUnlock of an RWMutex without readers")
	}
	m.readers--
	if m.readers == 0 {
		m.wait.all(w)
	}
	w.maybe()
}

// Cond is sync.Cond.
type Cond struct {
	L    sync.Locker
	wait line
}

// Wait waits for Signal or Broadcast.
func (c *Cond) Wait() {
	w := enter()
	if w.dying {
		panic(killed{})
	}
	w.quiet = true // nobody comes between the unlock and the wait
	c.L.Unlock()
	w.quiet = false
	c.wait.wait(w, "a condition")
	c.L.Lock()
}

// Signal wakes one who waits.
func (c *Cond) Signal() {
	if w := enter(); len(c.wait) > 0 && !w.dying {
		c.wait.first(w)
	}
}

// Broadcast wakes all who wait.
func (c *Cond) Broadcast() {
	w := enter()
	for len(c.wait) > 0 && !w.dying {
		c.wait.first(w)
	}
}
