package main

import (
	"fmt"
	"strings"

	"github.com/sluicemesh/sluice/diff"
)

// few differences of the kinds that few people ask about are listed.
const few = 10

// pairsText tells what came of comparing pairs.
func pairsText(pairs []pair, all bool) string {
	var b strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&b, "%s → %s\n", p.Was, p.Now)
		if p.Note != "" {
			fmt.Fprintf(&b, "  %s\n", p.Note)
		}
		for _, r := range p.Results {
			if r.Equivalent() {
				fmt.Fprintf(&b, "  %s: equivalent\n", r.Family)
				continue
			}
			fmt.Fprintf(&b, "  %s:\n", r.Family)
			resultText(&b, r, all)
		}
	}
	return b.String()
}

// resultText tells the differences of a family by kind. Connections are what
// most people ask about; of the rest, without all, only so many are listed.
func resultText(b *strings.Builder, r diff.Result, all bool) {
	for _, d := range r.Of(diff.Connections) {
		fmt.Fprintf(b, "    %s\n", d)
	}
	for _, k := range []struct {
		kind  diff.Kind
		title string
	}{
		{diff.Packets, "later packets of connections, and packets that carry a mark"},
		{diff.Marks, "the same way, but other marks or conntrack zones"},
	} {
		list := r.Of(k.kind)
		if len(list) == 0 {
			continue
		}
		fmt.Fprintf(b, "    %s:\n", k.title)
		for i, d := range list {
			if i == few && !all {
				fmt.Fprintf(b, "      and %d more (--all lists them)\n", len(list)-few)
				break
			}
			fmt.Fprintf(b, "      %s\n", d)
		}
	}
	if r.More {
		fmt.Fprintln(b, "    and more than can be listed")
	}
}

// items splits a comma list and drops empty items.
func items(text string) []string {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}
