package graph

import (
	"encoding/xml"
	"testing"
)

func TestAnyTextSurvivesInADrawing(t *testing.T) {
	for text, want := range map[string]string{
		`a<b>&"c'`: `a<b>&"c'`, "tab\tline\nreturn\r": "tab\tline\nreturn\r", "\x00\x1b\xff\uFFFF": "\uFFFD\uFFFD\uFFFD\uFFFD", "ü→😀": "ü→😀",
	} {
		var got string
		err := xml.Unmarshal([]byte("<t>"+escape(text)+"</t>"), &got)
		if err != nil || got != want {
			t.Errorf("%q: read back as %q, %v, want %q", text, got, err, want)
		}
	}
}
