package flow

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestMetricsOfAllStepsInOneRegistry(t *testing.T) {
	inBubble(t, func(b *bench) {
		r := b.run(desk, deskFuncs())
		b.put(numbered(0, 20)...)
		b.until("20 rows", func() bool { return b.count("support.desk") >= 20 })
		reg := prometheus.NewPedanticRegistry()
		for _, c := range r.Collectors() {
			if err := reg.Register(c); err != nil {
				t.Fatal(err)
			}
		}
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				var labels []string
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetValue())
				}
				got[f.GetName()+" "+strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
		for name, want := range map[string]float64{"leat_join_rows_total complete support desk": 20, "leat_join_open_rows support desk": 0, "leat_join_kept_rows support desk": 0} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s is %v, %v", name, v, ok)
			}
		}
	})
}

func TestWindows(t *testing.T) {
	f := offlineFlow(t, desk, nil, nil)
	p := f.pipelines[0]
	for step, want := range map[string]int{"mood": 1024, "vectors": 1024, "desk": 2*(1024+1024) + 1024} {
		s := p.Step(step)
		got := window(p, s)
		if s.Join != nil {
			got = joinWindow(p, s)
		}
		if got != want {
			t.Errorf("step %s has a window of %d, want %d", step, got, want)
		}
	}
	// What comes out of a join is displaced by all that the join holds.
	if got := displacement(p, "support.urgent"); got != 1024+5120+2048 {
		t.Errorf("displacement behind the join is %d", got)
	}
}
