package podapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// message is one line from the plugin: exactly one field is set.
type message struct {
	Pod    *Request `json:"pod,omitempty"`
	Report *Report  `json:"report,omitempty"`
}

// errTooLong is what a line over its bound gives, sent or received.
var errTooLong = errors.New("line is over the limit")

// encode gives v as one line of at most limit bytes.
func encode(v any, limit int) ([]byte, error) {
	line, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(line)+1 > limit {
		return nil, fmt.Errorf("%w of %d bytes: %d", errTooLong, limit, len(line)+1)
	}
	return append(line, '\n'), nil
}

// readLine reads one line of at most limit bytes, without its newline. It
// takes in no more than limit bytes, whatever the peer sends.
func readLine(r io.Reader, limit int) ([]byte, error) {
	line, err := bufio.NewReader(io.LimitReader(r, int64(limit))).ReadBytes('\n')
	switch {
	case errors.Is(err, io.EOF) && len(line) == limit:
		return nil, fmt.Errorf("%w of %d bytes", errTooLong, limit)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	return bytes.TrimSuffix(line, []byte("\n")), nil
}

// decodeMessage reads what a plugin said.
func decodeMessage(line []byte) (message, error) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return message{}, err
	}
	if (m.Pod == nil) == (m.Report == nil) {
		return message{}, errors.New(`want exactly one of "pod" and "report"`)
	}
	return m, nil
}

func (m message) version() int {
	if m.Pod != nil {
		return m.Pod.Version
	}
	return m.Report.Version
}

// large tells whether a response takes more memory than most: by its texts,
// before it is written.
func (r Response) large() bool {
	if r.Pod == nil {
		return false
	}
	n := 0
	for key, value := range r.Pod.Annotations {
		n += len(key) + len(value)
	}
	for _, c := range slices.Concat(r.Pod.InitContainers, r.Pod.Containers) {
		n += len(c.Name) + len(c.ProxyType)
		for _, e := range c.Env {
			n += len(e.Name) + len(e.Value)
		}
	}
	return n >= largeAnswer
}

// known reports whether this side speaks version v.
func known(v int) bool { return v >= 1 && v <= Version }

// fits cuts a report's texts so that it always goes out: what a plugin did is
// worth more than the whole of an error's text.
func (r Report) fits() Report {
	const text, warnings = 1 << 10, 4
	r.Message = cut(r.Message, text)
	r.Warnings = r.Warnings[:min(len(r.Warnings), warnings)]
	short := make([]string, 0, len(r.Warnings))
	for _, w := range r.Warnings {
		short = append(short, cut(w, text/warnings))
	}
	r.Warnings = short
	return r
}

// cut gives at most n bytes of s, counted as JSON would write them.
func cut(s string, n int) string {
	for i, r := range s {
		if n -= escaped(r); n < 0 {
			return s[:i]
		}
	}
	return s
}

// escaped is an upper bound of the bytes that JSON takes for r.
func escaped(r rune) int {
	if r >= ' ' && r < 0x7f && r != '"' && r != '\\' && r != '<' && r != '>' && r != '&' {
		return 1
	}
	return 6
}
