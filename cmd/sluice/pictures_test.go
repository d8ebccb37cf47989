package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// conceptPictures are those of docs/concepts.md, by the command that draws each.
func conceptPictures() map[string][]string {
	usual := []string{"sluice", "graph", "--ip-families", "v4", "-i", "*", "-b", "*", "-d", "15020,15021,15090"}
	with := func(more ...string) []string { return append(append([]string{}, usual...), more...) }
	return map[string][]string{
		"rules":    usual,
		"outbound": with("--highlight", "app 198.51.100.7:443"),
		"inbound":  with("--highlight", "outside :8080"),
		"proxy":    with("--highlight", "proxy 198.51.100.7:443"),
		"selfcall": with("--highlight", "proxy :8080"),
		"tproxy":   with("-m", "TPROXY"),
		"dns":      with("--redirect-dns", "--capture-all-dns", "--highlight", "app 198.51.100.53:53/udp"),
	}
}

func picture(t *testing.T, words []string) string {
	t.Helper()
	var out, log bytes.Buffer
	code := run(context.Background(), program{
		args: words, env: func(string) (string, bool) { return "", false }, stdin: strings.NewReader(""), stdout: &out, stderr: &log,
	})
	if code != 0 || !strings.HasPrefix(out.String(), "<svg") {
		t.Fatalf("%v: got exit code %d, %q, %s; want a picture", words, code, out.String()[:min(40, out.Len())], log.String())
	}
	return out.String()
}
