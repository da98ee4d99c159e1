package plog

import (
	"maps"
	"slices"
)

// syncSet gathers the files that a checkpoint has written. It keeps no more of them
// open than the store may: one that was closed is opened again for its sync, which
// makes durable whatever any of its openings wrote.
type syncSet struct {
	store *Store
	names []string             // of all files, in the order of their first write
	files map[string]*openFile // of the names; nil when closed again
	held  []*openFile          // those that are open, the oldest first
	dirs  map[string]bool      // whose names have changed
	made  []madeSegment
}

func (s *Store) newSyncSet() *syncSet {
	return &syncSet{store: s, files: map[string]*openFile{}, dirs: map[string]bool{}}
}

// add takes over a file that is about to be written, and its use. The file stays
// open until as many others were added as the set may hold.
func (d *syncSet) add(f *openFile) {
	if _, known := d.files[f.name]; !known {
		d.names = append(d.names, f.name)
	}
	d.files[f.name] = f
	d.held = append(d.held, f)
	if len(d.held) > max(d.store.opt.OpenFiles, minOpen) {
		old := d.held[0]
		d.held = d.held[1:]
		if d.files[old.name] == old && !slices.Contains(d.held, old) {
			d.files[old.name] = nil
		}
		d.store.files.done(old)
	}
}

// minOpen is how many files a log needs at a time: a segment and its indexes.
const minOpen = 3

// sync makes all of it durable: first what the files hold, then their names.
func (d *syncSet) sync() error {
	if !d.store.opt.Relaxed {
		for _, name := range d.names {
			if err := d.syncFile(name); err != nil {
				return err
			}
		}
		for _, dir := range slices.Sorted(maps.Keys(d.dirs)) {
			if err := d.store.opt.FS.SyncDir(dir); err != nil {
				return err
			}
		}
	}
	// Before done lets go of the files: from here on nobody may make them anew.
	for _, m := range d.made {
		m.durable()
	}
	return nil
}

func (d *syncSet) syncFile(name string) error {
	if f := d.files[name]; f != nil {
		return f.Sync()
	}
	f, err := d.store.files.open(name, d.store.opt.FS.Open)
	if err != nil {
		return err
	}
	defer d.store.files.done(f)
	return f.Sync()
}

func (d *syncSet) done() {
	for _, f := range d.held {
		d.store.files.done(f)
	}
	d.held = nil
	clear(d.files)
}
