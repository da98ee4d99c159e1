package report

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/leatdev/leat/bench/internal/work"
)

// plotName is the file of a row's plot, without .svg.
func plotName(row string) string { return strings.ReplaceAll(row, "/", "-") }

// togetherName is the file of a section's only plot.
func togetherName(s section) string { return strings.ToLower(strings.ReplaceAll(s.title, " ", "-")) }

// drawn: the row has something to compare in a plot.
func (r Run) drawn(row, key string) bool { return len(r.bars(row, key)) > 1 }

// plots draws each table's main column, or one plot of Leat for the whole section.
func (r Run) plots() map[string]string {
	all := map[string]string{}
	for _, s := range r.sections() {
		if s.plot == "" {
			continue
		}
		unit := s.plot
		for _, c := range s.columns {
			if c.key == s.plot {
				unit = c.title
			}
		}
		if lowerIsBetter[s.plot] {
			unit += " (lower is better)"
		}
		if s.together {
			var bars []bar
			for _, p := range s.parts {
				if st := r.stat(p.row, leat, s.plot); st.N > 0 {
					bars = append(bars, bar{label: p.title, stat: st, durable: true})
				}
			}
			if len(bars) > 1 {
				all[togetherName(s)] = draw(s.title, unit, bars)
			}
			continue
		}
		for _, p := range s.parts {
			if bars := r.bars(p.row, s.plot); len(bars) > 1 {
				all[plotName(p.row)] = draw(s.title+": "+p.title, unit, bars)
			}
		}
	}
	return all
}

// lowerIsBetter are the values of which less is better.
var lowerIsBetter = map[string]bool{work.P50: true, work.P99: true, work.ReadyMS: true, work.ServingMS: true, work.RSSMB: true, work.SettleMS: true}

// bar is one line of a plot.
type bar struct {
	label   string
	stat    Stat
	durable bool // its colour
	bare    bool
}

func (r Run) bars(row, key string) (all []bar) {
	durable := map[string]bool{}
	for _, p := range r.Peers {
		durable[p.Name] = p.Durable
	}
	for _, n := range r.in(row) {
		if s := r.stat(row, n, key); s.N > 0 {
			all = append(all, bar{n, s, durable[n], n == work.Bare.Name})
		}
	}
	for _, l := range limitRows(row) {
		if s := r.stat(l, work.Bare.Name, key); s.N > 0 && len(all) > 0 {
			_, name, _ := strings.Cut(l, "/")
			all = append(all, bar{"bare " + name, s, false, true})
		}
	}
	return all
}

// limitRows are the bare loops that are drawn beside a row.
func limitRows(row string) []string {
	name, part, _ := strings.Cut(row, "/")
	switch {
	case part == "franz-go": // the client is the limit
		return nil
	case name == "sync64", name == "sync64p64":
		if part == "group" {
			return nil
		}
		return []string{"sync64/group"}
	case row == "one":
		return []string{"one/sum"}
	case row == "batch100", row == "batch1k":
		return []string{row + "/receivelog", row + "/receive"}
	case part == "disk", part == "ten":
		return []string{"consume/sendfile-cold", "consume/pread-cold"}
	case part == "cached", part == "tail":
		return []string{"consume/sendfile", "consume/pread"}
	default:
		return nil
	}
}

// The plot's measures, in pixels.
const (
	plotWidth  = 760
	plotLeft   = 170
	plotRight  = 110
	plotTop    = 44
	barHeight  = 18
	barStep    = 28
	axisHeight = 46
)

// draw is a bar chart as SVG: a bar to the median, a line from the least to the
// most, an axis from zero with its unit.
func draw(title, unit string, bars []bar) string {
	most := 0.
	for _, b := range bars {
		most = math.Max(most, b.stat.Max)
	}
	step := tick(most)
	top := math.Max(step, math.Ceil(most/step)*step)
	height := plotTop + len(bars)*barStep + axisHeight
	x := func(v float64) float64 { return plotLeft + v/top*float64(plotWidth-plotLeft-plotRight) }
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="13" role="img">`+"\n", plotWidth, height, plotWidth, height)
	fmt.Fprintf(&s, `<title>%s</title><rect width="100%%" height="100%%" fill="#fff"/>`+"\n", html.EscapeString(title))
	fmt.Fprintf(&s, `<text x="10" y="20" font-size="15" font-weight="bold" fill="#222">%s</text>`+"\n", html.EscapeString(title))
	bottom := float64(plotTop + len(bars)*barStep)
	for v := 0.; v <= top*1.0001; v += step {
		fmt.Fprintf(&s, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="middle" fill="#555">%s</text>`+"\n",
			x(v), plotTop-6, x(v), bottom, x(v), bottom+16, tickLabel(v, step))
	}
	fmt.Fprintf(&s, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="#222">%s</text>`+"\n", (x(0)+x(top))/2, bottom+36, html.EscapeString(unit))
	fmt.Fprintf(&s, `<g font-size="11"><rect x="%d" y="%.1f" width="10" height="10" fill="%s"/><text x="%d" y="%.1f" fill="#555">ack on disk</text><rect x="%d" y="%.1f" width="10" height="10" fill="%s"/><text x="%d" y="%.1f" fill="#555">not on disk</text></g>`+"\n",
		10, bottom+14, durableColour, 24, bottom+23, 10, bottom+28, volatileColour, 24, bottom+37)
	for i, b := range bars {
		y := float64(plotTop + i*barStep)
		mid := y + barHeight/2
		fmt.Fprintf(&s, `<text x="%d" y="%.1f" text-anchor="end" fill="#222">%s</text>`, plotLeft-8, mid+4, html.EscapeString(b.label))
		fmt.Fprintf(&s, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"/>`, x(0), y, x(b.stat.Median)-x(0), barHeight, b.colour())
		fmt.Fprintf(&s, `<path d="M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8" stroke="#222" fill="none"/>`, x(b.stat.Min), mid, x(b.stat.Max), x(b.stat.Min), mid-4, x(b.stat.Max), mid-4)
		fmt.Fprintf(&s, `<text x="%.1f" y="%.1f" fill="#222">%s</text>`+"\n", x(b.stat.Max)+8, mid+4, number(b.stat.Median))
	}
	s.WriteString("</svg>\n")
	return s.String()
}

const (
	durableColour  = "#1b7a5a"
	volatileColour = "#9fb4c7"
	bareColour     = "#d9a441"
)

func (b bar) colour() string {
	switch {
	case b.bare:
		return bareColour
	case b.durable:
		return durableColour
	default:
		return volatileColour
	}
}

// tick is a round step (1, 2 or 5 times a power of ten) of which 4 to 10 make most.
func tick(most float64) float64 {
	if most <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most/4)))
	for _, m := range []float64{5, 2, 1} {
		if most/(m*power) >= 4 {
			return m * power
		}
	}
	return power
}

func tickLabel(v, step float64) string {
	switch {
	case step >= 1e6:
		return fmt.Sprintf("%.0f M", v/1e6)
	case step >= 1e3 || v >= 1e4:
		return fmt.Sprintf("%g k", math.Round(v/step)*step/1e3)
	case step >= 1:
		return fmt.Sprintf("%.0f", v)
	default:
		return fmt.Sprintf("%g", math.Round(v/step)*step)
	}
}
