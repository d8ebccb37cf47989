package iptables

import (
	"errors"
	"strings"
)

// saveString prints a comment or log prefix as iptables-save does
// (xtables_save_string of libxtables): only letters, digits, "_" and "-" go
// without double quotes; inside them ", \ and ' are escaped by \.
func saveString(s string) string {
	if s != "" && !strings.ContainsFunc(s, notPlain) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' || c == '\'' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

func notPlain(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		return false
	}
	return true
}

// quoteAll quotes just those words that would not be read back as one word.
func quoteAll(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quoted(w)
	}
	return out
}

// quoted is one word so that it is read back as one.
func quoted(w string) string {
	if w == "" || strings.ContainsAny(w, " \t\"\\'") {
		return saveString(w)
	}
	return w
}

var errUnclosedQuote = errors.New("unclosed quote")

// SplitWords splits a line of restore text into its words, as iptables-restore
// does: words are separated by blanks, "double" quotes keep blanks together,
// and inside them a backslash keeps the character behind it.
func SplitWords(line string) ([]string, error) {
	var words []string
	var b strings.Builder
	inWord, inQuote := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case inQuote && c == '\\' && i+1 < len(line):
			i++
			b.WriteByte(line[i])
		case c == '"':
			inWord, inQuote = true, !inQuote
		case !inQuote && (c == ' ' || c == '\t'):
			if inWord {
				words = append(words, b.String())
				b.Reset()
			}
			inWord = false
		default:
			inWord = true
			b.WriteByte(c)
		}
	}
	if inQuote {
		return nil, errUnclosedQuote
	}
	if inWord {
		words = append(words, b.String())
	}
	return words, nil
}
