package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Measures of the plot, in pixels.
const (
	plotLeft  = 400
	plotWidth = 480
	plotRow   = 22
	plotTop   = 46
)

// svg draws the ratios on a logarithmic scale: a bar for each row, from 1 to the ratio, and a mark where the target is. Where more is better the
// ratio is turned round, so that left of 1 is always where Roost is ahead.
func (r *report) svg() string {
	var rows []line
	lowest := 0.5
	for _, l := range r.lines {
		if v, _ := l.plotted(); v > 0 {
			rows = append(rows, l)
			lowest = min(lowest, v)
		}
	}
	const highest = 4.0
	lowest = math.Pow(10, math.Floor(math.Log10(lowest)))
	x := func(v float64) float64 {
		v = min(max(v, lowest), highest)
		return plotLeft + plotWidth*math.Log(v/lowest)/math.Log(highest/lowest)
	}
	height := plotTop + plotRow*len(rows) + 20
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	w(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", plotLeft+plotWidth+70, height)
	w(`<rect width="100%%" height="100%%" fill="white"/>` + "\n")
	w(`<text x="%d" y="16" font-size="14">Roost / Dovecot, %s messages; left of 1 Roost is ahead, | is the target</text>`+"\n", 10, human(r.opt.messages))
	for decade := lowest; decade < highest; decade *= 10 {
		for _, v := range []float64{decade, 2 * decade, 5 * decade} {
			if v > highest {
				break
			}
			colour := "#ddd"
			if math.Abs(v-1) < 1e-9 {
				colour = "#333"
			}
			w(`<line x1="%.1f" x2="%.1[1]f" y1="%d" y2="%d" stroke="%s"/>`, x(v), plotTop-4, height-16, colour)
			w(`<text x="%.1f" y="%d" text-anchor="middle" fill="#666">%.4g</text>`+"\n", x(v), plotTop-10, v)
		}
	}
	for i, l := range rows {
		v, wanted := l.plotted()
		y := plotTop + i*plotRow
		met, _ := l.met()
		colour := "#3a9d5d"
		if v > 1 {
			colour = "#c0392b"
		} else if !met {
			colour = "#e0a030"
		}
		from, to := min(x(1), x(v)), max(x(1), x(v))
		w(`<text x="%d" y="%d" text-anchor="end">%s</text>`, plotLeft-8, y+14, html.EscapeString(shortened(l.name)))
		w(`<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, from, y+3, max(to-from, 1), plotRow-6, colour)
		if wanted > 0 {
			w(`<line x1="%.1f" x2="%.1[1]f" y1="%d" y2="%d" stroke="black" stroke-width="2"/>`, x(wanted), y+1, y+plotRow-1)
		}
		w(`<text x="%d" y="%d">%s</text>`+"\n", plotLeft+plotWidth+8, y+14, ratioText(v))
	}
	w("</svg>\n")
	return b.String()
}

// plotted is the ratio of a row and its target as the plot shows them; 0 for none.
func (l *line) plotted() (ratio, wanted float64) {
	ratio, wanted = l.ratio(), l.target.atMost
	if l.moreIsBetter() && ratio > 0 {
		ratio = 1 / ratio
		if l.target.atLeast > 0 {
			wanted = 1 / l.target.atLeast
		}
	}
	return ratio, wanted
}

func (l *line) moreIsBetter() bool { return l.target.atLeast > 0 }

// shortened is a name that fits beside the plot.
func shortened(name string) string {
	name = strings.ReplaceAll(name, "`", "")
	if runes := []rune(name); len(runes) > 62 {
		return string(runes[:61]) + "…"
	}
	return name
}
