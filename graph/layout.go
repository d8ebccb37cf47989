package graph

import "slices"

// Measures of the picture, in pixels.
const (
	margin    = 28.0
	header    = 40.0
	rowHeight = 36.0
	padBottom = 6.0
	gapX      = 96.0
	gapY      = 26.0
	titleRoom = 46.0
	endWidth  = 168.0
	minWidth  = 190.0
	maxWidth  = 670.0
	wordsChar = 6.5 // mean width of a letter of the words
	textChar  = 5.5 // width of a letter of the rule's text
)

// spot is where a box stands.
type spot struct{ x, y, w, h float64 }

func (s spot) row(i int) float64 { return s.y + header + rowHeight*(float64(i)+0.5) }

// layout gives every box its place and returns the size of the whole. Columns
// are as wide as their widest box; a box stands level with what leads to it.
func (p Picture) layout() (spots map[string]spot, width, height float64) {
	spots = map[string]spot{}
	x := margin
	for column := range p.columns {
		boxes := p.inColumn(column)
		w := 0.0
		for _, b := range boxes {
			w = max(w, boxWidth(b))
		}
		if column > 0 {
			p.sortByOrigin(boxes, spots)
		}
		y := margin + titleRoom
		for _, b := range boxes {
			h := boxHeight(b)
			y = max(y, p.origin(b, spots)-h/2, margin+titleRoom)
			spots[b.ID] = spot{x, y, w, h}
			y += h + gapY
			height = max(height, y-gapY+margin)
		}
		x += w + gapX
	}
	height = max(height, p.levelHooks(spots))
	return spots, x - gapX + margin, height
}

// levelHooks moves the first column level with the chains that it leads to, and
// returns the height that this takes.
func (p Picture) levelHooks(spots map[string]spot) (height float64) {
	y := margin + titleRoom
	for _, b := range p.inColumn(0) {
		s := spots[b.ID]
		if target, ok := p.target(b, spots); ok {
			y = max(y, target+header/2-header-(s.h-header)/2)
		}
		s.y = y
		spots[b.ID] = s
		y += s.h + gapY
		height = y - gapY + margin
	}
	return height
}

// target is the mean height of the boxes that a box leads to.
func (p Picture) target(b Box, spots map[string]spot) (y float64, ok bool) {
	n := 0.0
	for _, r := range b.Rows {
		if s, placed := spots[r.To]; placed {
			y, n = y+s.y, n+1
		}
	}
	return y / max(n, 1), n > 0
}

func (p Picture) inColumn(column int) []Box {
	var list []Box
	for _, b := range p.Boxes {
		if b.column == column {
			list = append(list, b)
		}
	}
	return list
}

func boxWidth(b Box) float64 {
	if b.Kind == Outcome {
		return endWidth
	}
	w := minWidth
	for _, r := range b.Rows {
		w = max(w, wordsChar*float64(len([]rune(r.Words)))+badgeWidth(r.End)+46, textChar*float64(len([]rune(r.Text)))+46)
	}
	return min(w, maxWidth)
}

func badgeWidth(text string) float64 {
	if text == "" {
		return 0
	}
	return 6*float64(len([]rune(text))) + 24
}

func boxHeight(b Box) float64 {
	if b.Kind == Outcome {
		return header + 14
	}
	return header + rowHeight*float64(len(b.Rows)) + padBottom
}

// origin is the mean height of the rows that lead to a box; 0 for none.
func (p Picture) origin(b Box, spots map[string]spot) float64 {
	sum, n := 0.0, 0.0
	for _, from := range p.Boxes {
		s, placed := spots[from.ID]
		for i, r := range from.Rows {
			if placed && r.To == b.ID {
				sum, n = sum+s.row(i), n+1
			}
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

func (p Picture) sortByOrigin(boxes []Box, spots map[string]spot) {
	slices.SortStableFunc(boxes, func(a, b Box) int {
		switch x, y := p.origin(a, spots), p.origin(b, spots); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
}
