package main

import (
	"fmt"
	"math"
	"strings"
)

// The plot's size and the room for its axes, in pixels.
const (
	plotWidth, plotHeight  = 760, 420
	plotLeft, plotRight    = 60, 230
	plotTop, plotBottom    = 30, 50
	innerWidth             = plotWidth - plotLeft - plotRight
	innerHeight            = plotHeight - plotTop - plotBottom
	smallestSize, tallest  = 10.0, 1.2
	decades                = 3.0 // from 10 to 10,000
	labelStyle, titleStyle = `font-family="sans-serif" font-size="12" fill="#333"`, `font-family="sans-serif" font-size="14" fill="#111"`
)

func colours() []string { return []string{"#b24a2e", "#d99a2b", "#2e6fb2", "#3a9a8c", "#1b7f3b"} }

// svg draws the connection rate by the number of excluded CIDRs, one line for
// each way to load them.
func (r report) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">`+"\n", plotWidth, plotHeight)
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/>` + "\n")
	fmt.Fprintf(&b, `<text x="%d" y="18" %s>Connections per second, relative to none excluded</text>`+"\n", plotLeft, titleStyle)
	axes(&b)
	for i, name := range r.loaders() {
		r.line(&b, name, i)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func across(size float64) float64 {
	return plotLeft + innerWidth*math.Log10(size/smallestSize)/decades
}

func up(rate float64) float64 { return plotTop + innerHeight*(1-rate/tallest) }

func axes(b *strings.Builder) {
	for _, rate := range []float64{0, 0.2, 0.4, 0.6, 0.8, 1} {
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" %s>%.1f</text>`+"\n",
			plotLeft, plotLeft+innerWidth, up(rate), up(rate), plotLeft-8, up(rate)+4, labelStyle, rate)
	}
	for _, size := range []float64{10, 100, 1000, 10000} {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" %s>%.0f</text>`+"\n", across(size), plotHeight-plotBottom+18, labelStyle, size)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle" %s>excluded CIDRs</text>`+"\n", plotLeft+innerWidth/2, plotHeight-12, labelStyle)
}

func (r report) line(b *strings.Builder, name string, i int) {
	colour := colours()[i%len(colours())]
	var points []string
	for _, n := range r.sizes("CIDRs") {
		points = append(points, fmt.Sprintf("%.1f,%.1f", across(float64(n)), up(median(r.at(name, "CIDRs", n).rates))))
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), colour)
	y := plotTop + 20 + 20*i
	fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="%s" stroke-width="2"/><text x="%d" y="%d" %s>%s</text>`+"\n",
		plotLeft+innerWidth+14, plotLeft+innerWidth+34, y, y, colour, plotLeft+innerWidth+40, y+4, labelStyle, name)
}
