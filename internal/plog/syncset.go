package plog

import (
	"errors"
	"maps"
	"slices"

	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/vfs"
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
	bytes int64                // of batches written
	made  []madeSegment
	// volume is the file system they are on; nil when each is synced for itself.
	volume vfs.Volume
	// early: the system is told to begin with the writing of batches at once, for a
	// sync that comes soon.
	early bool
	// most is how many of the files may be open.
	most int
}

// newSyncSet makes a set for about so many files. When they are many, and the file
// system can be believed about it, all of them are made durable by one sync of the
// whole: a sync of a file takes the time of a disk access, however little it wrote.
func (s *Store) newSyncSet(files int) *syncSet {
	d := s.newPart(max(s.opt.OpenFiles, minOpen))
	if s.opt.SyncTogether > 0 && files >= s.opt.SyncTogether && !s.opt.Relaxed {
		// Its failures are those that come after this.
		v, err := s.opt.FS.OpenVolume(s.opt.Dir)
		if err == nil {
			d.volume = v
		}
	}
	return d
}

// newPart makes a set that another one takes over, of what one goroutine does: add is
// not for several. most is how many files it may keep open.
func (s *Store) newPart(most int) *syncSet {
	return &syncSet{store: s, files: map[string]*openFile{}, dirs: map[string]bool{}, most: most}
}

// absorb takes over what another set has gathered, which is not used any more.
func (d *syncSet) absorb(part *syncSet) {
	for _, f := range part.held {
		d.add(f)
	}
	for _, name := range part.names {
		if _, known := d.files[name]; !known {
			d.names = append(d.names, name)
			d.files[name] = nil
		}
	}
	maps.Copy(d.dirs, part.dirs)
	d.made = append(d.made, part.made...)
	d.bytes += part.bytes
}

// spread calls do for each of n logs, on several goroutines when they are many, with a
// set for what it writes. The set has all of it in the end, also after an error.
func (d *syncSet) spread(n int, do func(part *syncSet, i int) error) error {
	var parts [workers]*syncSet
	for w := range parts {
		parts[w] = d.store.newPart(max(d.most/workers, minOpen))
		parts[w].early = d.early
	}
	err := among(n, func(w, i int) error { return do(parts[w], i) })
	for _, part := range parts {
		d.absorb(part)
	}
	return err
}

// foreignBytes is how much others may have to write for a sync of the whole file
// system to be worth while: it waits for them.
const foreignBytes = 512 << 20

// add takes over a file that is about to be written, and its use. The file stays
// open until as many others were added as the set may hold.
func (d *syncSet) add(f *openFile) {
	if _, known := d.files[f.name]; !known {
		d.names = append(d.names, f.name)
	}
	d.files[f.name] = f
	d.held = append(d.held, f)
	if len(d.held) > d.most {
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

// sync makes all of it durable: what the files hold, and their names.
func (d *syncSet) sync() error {
	if !d.store.opt.Relaxed {
		if err := d.syncDisk(); err != nil {
			return err
		}
	}
	// Before done lets go of the files: from here on nobody may make them anew.
	for _, m := range d.made {
		m.durable()
	}
	return nil
}

func (d *syncSet) syncDisk() error {
	if d.volume != nil && len(d.names) >= d.store.opt.SyncTogether {
		if mutant.On("volume-sync") {
			return nil
		}
		err := d.volume.Sync(d.bytes + foreignBytes)
		if !errors.Is(err, vfs.ErrBusy) {
			return err
		}
	}
	for _, name := range d.names {
		if mutant.On("segment-sync") {
			break
		}
		if err := d.syncFile(name); err != nil {
			return err
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(d.dirs)) {
		if mutant.On("directory-sync") {
			break
		}
		if err := d.store.opt.FS.SyncDir(dir); err != nil {
			return err
		}
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
	if d.volume != nil {
		if err := d.volume.Close(); err != nil {
			d.store.opt.Logger.Warn("cannot close the data directory", "err", err)
		}
		d.volume = nil
	}
	for _, f := range d.held {
		d.store.files.done(f)
	}
	d.held = nil
	clear(d.files)
}
