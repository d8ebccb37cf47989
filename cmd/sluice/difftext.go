package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/sluicemesh/sluice/diff"
)

// kinds prints the differences of a family by kind. Connections are what most
// people ask about; of the rest, without all, only so many are listed.
func kinds(w io.Writer, r diff.Result, all bool) {
	for _, d := range r.Of(diff.Connections) {
		fmt.Fprintf(w, "    %s\n", d)
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
		fmt.Fprintf(w, "    %s:\n", k.title)
		for i, d := range list {
			if i == few && !all {
				fmt.Fprintf(w, "      and %d more (--all lists them)\n", len(list)-few)
				break
			}
			fmt.Fprintf(w, "      %s\n", d)
		}
	}
	if r.More {
		fmt.Fprintln(w, "    and more than can be listed")
	}
}

// items splits a comma list and drops empty items.
func items(text string) []string {
	var list []string
	for _, item := range strings.Split(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}
