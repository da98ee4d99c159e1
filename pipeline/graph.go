package pipeline

import "slices"

// Lost returns, for a join, the branches of which no part can come any more for
// an event, given the steps of the pipeline that have announced that they make
// nothing of it. A branch is lost when every step that writes its topic is; a
// step is lost when it announced so, when all it reads is lost, or when it is a
// join that requires a lost branch. Topics that no step writes are never lost:
// their records come from outside.
//
// The result gives for each lost branch the announcing step that is to blame:
// the first in the order of the file.
func (p *Pipeline) Lost(join *Step, announced func(step string) bool) map[string]string {
	blame := map[string]string{} // step or topic -> announcing step
	for _, s := range p.Steps {
		if announced(s.Name) {
			blame["step "+s.Name] = s.Name
		}
	}
	// The graph has no cycles, so one round per step is enough.
	for range p.Steps {
		for _, s := range p.Steps {
			if by, ok := p.lostTopic(s.To, blame); ok {
				blame["topic "+s.To] = by
			}
			if _, known := blame["step "+s.Name]; known {
				continue
			}
			if by, ok := p.lostStep(s, blame); ok {
				blame["step "+s.Name] = by
			}
		}
	}
	lost := map[string]string{}
	for _, b := range join.Join.Of {
		if by, ok := blame["topic "+b.Topic]; ok {
			lost[b.Name] = by
		}
	}
	return lost
}

func (p *Pipeline) lostTopic(topic string, blame map[string]string) (string, bool) {
	first := ""
	for _, s := range p.Steps {
		if s.To != topic {
			continue
		}
		by, ok := blame["step "+s.Name]
		if !ok {
			return "", false
		}
		if first == "" {
			first = by
		}
	}
	return first, first != ""
}

func (p *Pipeline) lostStep(s *Step, blame map[string]string) (string, bool) {
	if s.Join != nil {
		for _, b := range s.Join.Of {
			if by, ok := blame["topic "+b.Topic]; ok && slices.Contains(s.Join.Require, b.Name) {
				return by, true
			}
		}
	}
	first := ""
	for _, t := range s.Inputs() {
		by, ok := blame["topic "+t]
		if !ok {
			return "", false
		}
		if first == "" {
			first = by
		}
	}
	return first, first != ""
}

// Announces says whether a join of the pipeline needs to hear when this step
// makes nothing of an event: whether one of its branches comes through the step.
func (p *Pipeline) Announces(s *Step) bool {
	return slices.ContainsFunc(p.Steps, func(j *Step) bool {
		return j.Join != nil && j != s && slices.ContainsFunc(j.Inputs(), func(t string) bool { return p.comesThrough(t, s) })
	})
}

// comesThrough says whether records of topic may have gone through step s.
func (p *Pipeline) comesThrough(topic string, s *Step) bool {
	return slices.ContainsFunc(p.Steps, func(w *Step) bool {
		return w.To == topic && (w == s || slices.ContainsFunc(w.Inputs(), func(t string) bool { return p.comesThrough(t, s) }))
	})
}

// Joins says whether the pipeline has joins, and so a topic of outcomes.
func (p *Pipeline) Joins() bool {
	return slices.ContainsFunc(p.Steps, func(s *Step) bool { return s.Join != nil })
}
