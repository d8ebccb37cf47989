package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// style is a colour of a terminal; plain in a pipe.
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	blue   style = "36"
)

// printer writes what the demonstration shows.
type printer struct {
	out    io.Writer
	colour bool
}

// newPrinter colours a terminal, unless the user asked for none (no-color.org).
func newPrinter(f *os.File) printer {
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return printer{f, terminal && os.Getenv("NO_COLOR") == ""}
}

func (p printer) line(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

// heading begins a part.
func (p printer) heading(format string, args ...any) {
	p.line("\n%s", p.paint(bold, fmt.Sprintf(format, args...)))
}

func (p printer) paint(s style, text string) string {
	if !p.colour || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// cell is a piece of a table.
type cell struct {
	text  string
	style style
}

func text(format string, args ...any) cell { return cell{text: fmt.Sprintf(format, args...)} }

func (c cell) in(s style) cell { c.style = s; return c }

// table writes rows in columns as wide as they need; the first row is its head.
func (p printer) table(rows [][]cell) {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	for n, row := range rows {
		var b strings.Builder
		for i, c := range row {
			if n == 0 {
				c.style = dim
			}
			b.WriteString("  " + p.paint(c.style, c.text))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)))
			}
		}
		p.line("%s", strings.TrimRight(b.String(), " "))
	}
}
