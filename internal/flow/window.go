package flow

import "github.com/leatdev/leat/pipeline"

// A step has a window of so many records per partition that are read and not
// committed. Its results may come out in another order than its input by as much.
//
// A join holds parts until their row is whole, and its windows must be wider, or
// rows wait for parts that stand behind parts which wait for such rows. If no
// branch is displaced by more than D against the source, the parts of the oldest
// unsettled row are within 2 D of the beginning of every branch's window. Along a
// chain of steps displacements add.
const (
	leastWindow = 1024
	// windowBytes and joinWindowBytes bound the same in bytes, per partition.
	windowBytes     = 32 << 20
	joinWindowBytes = 256 << 20
)

// window is how many records of a partition a step has in hand: twice what its
// calls take, so that they are never short of any.
func window(p *pipeline.Pipeline, s *pipeline.Step) int {
	return max(leastWindow, 2*s.Batch.Max*concurrency(p, s))
}

// joinWindow is that of a join.
func joinWindow(p *pipeline.Pipeline, s *pipeline.Step) int {
	most := 0
	for _, t := range s.Inputs() {
		most = max(most, displacement(p, t))
	}
	return 2*most + leastWindow
}

// displacement is by how much the records of a topic may be out of the order of
// the source.
func displacement(p *pipeline.Pipeline, topic string) int {
	most := 0
	for _, w := range p.Steps {
		if w.To != topic {
			continue
		}
		own := window(p, w)
		if w.Join != nil {
			own = joinWindow(p, w)
		}
		for _, t := range w.Inputs() {
			most = max(most, own+displacement(p, t))
		}
	}
	return most
}
