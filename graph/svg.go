package graph

import (
	"fmt"
	"strings"
)

// SVG is the picture as a drawing that needs no other file. Rules that are too
// long for their box are cut, and whole in the tooltip.
func (p Picture) SVG() string {
	spots, width, height := p.layout()
	width = max(width, 460)
	s := canvas{}
	s.put(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="Inter, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif">`, width, height, width, height)
	s.put(`<title>%s</title>`, escape(p.Title))
	s.put(`<style>%s</style>`, strings.TrimSpace(style))
	s.put(`<defs>%s%s</defs>`, arrow("arrow", "#94a3b8"), arrow("arrow-hot", "#ea580c"))
	s.put(`<rect width="100%%" height="100%%" fill="#ffffff"/>`)
	s.put(`<text x="%.0f" y="%.0f" class="headline">%s</text>`, margin, margin+12, escape(p.Title))
	hot := p.anyHot()
	for _, pass := range []bool{false, true} { // highlighted lines above all others
		for _, b := range p.Boxes {
			s.lines(p, b, spots, pass, hot)
		}
	}
	for _, b := range p.Boxes {
		s.box(b, spots[b.ID], hot)
	}
	s.put(`</svg>`)
	return s.String()
}

func (p Picture) anyHot() bool {
	for _, b := range p.Boxes {
		if b.Hot {
			return true
		}
	}
	return false
}

const style = `
.headline{font-size:17px;font-weight:600;fill:#0f172a}
.title{font-size:13px;font-weight:600;fill:#ffffff}
.detail{font-size:10.5px;fill:#ffffff;opacity:.82}
.words{font-size:12px;fill:#1e293b}
.text{font-family:'JetBrains Mono','SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:9px;fill:#64748b}
.number{font-size:10px;fill:#94a3b8}
.badge{font-size:10px;font-weight:600}
.faint{opacity:.42}
`

func arrow(name, colour string) string {
	return fmt.Sprintf(`<marker id="%s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="%s"/></marker>`, name, colour)
}

// colour is that of a box's header.
func (b Box) colour() string {
	switch {
	case b.Kind == Hook:
		return "#1e3a5f"
	case b.Kind == Chain:
		return "#475569"
	case b.ID == EndDropped:
		return "#b91c1c"
	case b.ID == EndDirect:
		return "#15803d"
	}
	switch b.Detail {
	case "proxy, inbound":
		return "#0f766e"
	case "proxy, outbound":
		return "#6d28d9"
	case "agent, DNS":
		return "#a16207"
	}
	return "#334155"
}

type canvas struct{ strings.Builder }

func (s *canvas) put(format string, args ...any) { fmt.Fprintf(&s.Builder, format+"\n", args...) }

// escape makes text safe in SVG. What XML 1.0 cannot carry at all, as bytes of a
// dump may be, becomes the replacement character.
func escape(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= ' ' && r < 0xfffe, r > 0xffff:
			return r
		}
		return '\uFFFD'
	}, text)
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;",
		"\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;").Replace(text)
}

// lines draws the ways from a box's rows to where they lead.
func (s *canvas) lines(p Picture, b Box, spots map[string]spot, hot, faint bool) {
	for i, r := range b.Rows {
		to, ok := spots[r.To]
		if !ok || r.Hot != hot {
			continue
		}
		class, colour, width, end := "", "#94a3b8", 1.4, "arrow"
		if hot {
			colour, width, end = "#ea580c", 2.6, "arrow-hot"
		} else if faint {
			class = ` class="faint"`
		}
		s.put(`<path d="%s" fill="none" stroke="%s" stroke-width="%.1f" marker-end="url(#%s)"%s/>`, p.curve(b, i, to, spots), colour, width, end, class)
	}
}

// curve is the way from a row to a box: one bend from column to column, and
// between two boxes where a column lies in the way.
func (p Picture) curve(b Box, row int, to spot, spots map[string]spot) string {
	from := spots[b.ID]
	x, y := from.x+from.w, from.row(row)
	var path strings.Builder
	fmt.Fprintf(&path, "M%.1f,%.1f", x, y)
	bend := func(x2, y2 float64) {
		reach := max(40, (x2-x)/2)
		if x2 <= x { // back to an earlier column: around the outside
			reach = 70
		}
		fmt.Fprintf(&path, " C%.1f,%.1f %.1f,%.1f %.1f,%.1f", x+reach, y, x2-reach, y2, x2, y2)
		x, y = x2, y2
	}
	for column := b.column + 1; column < p.columns-1; column++ {
		left, right, ok := p.span(column, spots)
		if !ok || left <= x || right >= to.x {
			continue
		}
		free := p.gap(column, y, spots)
		bend(left-6, free)
		fmt.Fprintf(&path, " L%.1f,%.1f", right+6, free)
		x = right + 6
	}
	bend(to.x-2, to.y+header/2)
	return path.String()
}

// span is where a column begins and ends.
func (p Picture) span(column int, spots map[string]spot) (left, right float64, ok bool) {
	for _, b := range p.inColumn(column) {
		s := spots[b.ID]
		left, right, ok = s.x, s.x+s.w, true
	}
	return left, right, ok
}

// gap is the height nearest to y at which a line passes between a column's boxes.
func (p Picture) gap(column int, y float64, spots map[string]spot) float64 {
	const room = gapY / 2
	free := func(y float64) bool {
		for _, b := range p.inColumn(column) {
			if s := spots[b.ID]; y > s.y-room+1 && y < s.y+s.h+room-1 {
				return false
			}
		}
		return true
	}
	best, found := y, free(y)
	for _, b := range p.inColumn(column) {
		s := spots[b.ID]
		for _, try := range []float64{s.y - room, s.y + s.h + room} {
			if free(try) && (!found || abs(try-y) < abs(best-y)) {
				best, found = try, true
			}
		}
	}
	return best
}

func abs(x float64) float64 { return max(x, -x) }

func (s *canvas) box(b Box, at spot, faint bool) {
	class := ""
	if faint && !b.Hot {
		class = ` class="faint"`
	}
	s.put(`<g%s>`, class)
	if b.Kind == Outcome {
		s.outcome(b, at)
	} else {
		s.chain(b, at)
	}
	s.put(`</g>`)
}

func (s *canvas) outcome(b Box, at spot) {
	s.put(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="22" fill="%s"/>`, at.x, at.y-6, at.w, at.h, b.colour())
	s.put(`<text x="%.1f" y="%.1f" class="title" text-anchor="middle">%s</text>`, at.x+at.w/2, at.y+18, escape(b.Title))
	s.put(`<text x="%.1f" y="%.1f" class="detail" text-anchor="middle">%s</text>`, at.x+at.w/2, at.y+33, escape(b.Detail))
}

func (s *canvas) chain(b Box, at spot) {
	s.put(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="8" fill="#ffffff" stroke="#cbd5e1"/>`, at.x, at.y, at.w, at.h)
	s.put(`<path d="M%.1f,%.1f v-%.1f a8,8 0 0 1 8,-8 h%.1f a8,8 0 0 1 8,8 v%.1f z" fill="%s"/>`, at.x, at.y+header-4, header-12, at.w-16, header-12, b.colour())
	s.put(`<text x="%.1f" y="%.1f" class="title">%s</text>`, at.x+12, at.y+16, escape(b.Title))
	s.put(`<text x="%.1f" y="%.1f" class="detail">%s</text>`, at.x+12, at.y+29, escape(b.Detail))
	for i, r := range b.Rows {
		s.row(r, at, i)
	}
}

func (s *canvas) row(r Row, at spot, i int) {
	top := at.y + header + rowHeight*float64(i)
	s.put(`<g><title>%s</title>`, escape(r.Text))
	if r.Hot {
		s.put(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="4" fill="#ffedd5" stroke="#ea580c"/>`, at.x+3, top+1, at.w-6, rowHeight-2)
	} else if i > 0 {
		s.put(`<path d="M%.1f,%.1f h%.1f" stroke="#e2e8f0"/>`, at.x+10, top, at.w-20)
	}
	if r.Number > 0 {
		s.put(`<text x="%.1f" y="%.1f" class="number" text-anchor="end">%d</text>`, at.x+24, top+15, r.Number)
	}
	room := at.w - 42 - badgeWidth(r.End)
	s.put(`<text x="%.1f" y="%.1f" class="words">%s</text>`, at.x+31, top+15, escape(cut(r.Words, room/wordsChar)))
	s.put(`<text x="%.1f" y="%.1f" class="text">%s</text>`, at.x+31, top+28, escape(cut(r.Text, (at.w-42)/textChar)))
	s.badge(r.End, at.x+at.w-8, top+3)
	s.put(`</g>`)
}

// badge says at the right edge what happens in a row that leads nowhere.
func (s *canvas) badge(text string, right, top float64) {
	if text == "" {
		return
	}
	w := badgeWidth(text) - 8
	fill, ink := "#e0e7ff", "#3730a3"
	if text == "left alone" || text == "back" || text == "accepted" {
		fill, ink = "#dcfce7", "#166534"
	}
	s.put(`<rect x="%.1f" y="%.1f" width="%.1f" height="16" rx="8" fill="%s"/>`, right-w, top, w, fill)
	s.put(`<text x="%.1f" y="%.1f" class="badge" fill="%s" text-anchor="middle">%s</text>`, right-w/2, top+11.5, ink, escape(text))
}

// cut shortens a text to so many letters.
func cut(text string, letters float64) string {
	runes := []rune(text)
	if n := int(letters); len(runes) > n && n > 1 {
		return string(runes[:n-1]) + "…"
	}
	return text
}
