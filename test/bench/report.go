package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is everything that was measured.
type report struct {
	machine []string
	rounds  int
	results []result
	plugins []result
	crowds  []crowdResult
	points  []point
	inbound []taken
}

// taken is what a connection took on one way through a pod's rules.
type taken struct {
	name   string
	micros []float64 // the mean of each round
}

type crowdResult struct {
	name  string
	times []time.Duration
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// machine says on what was measured.
func machine() []string {
	return []string{
		fmt.Sprintf("%s, %d processors", processor(), runtime.NumCPU()),
		version("uname", "-sr"), version("go", "version"), version("iptables", "--version"), version("nft", "--version"),
	}
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t: "))
		}
	}
	return runtime.GOARCH
}

// markdown is the whole page.
func (r report) markdown() string {
	var b strings.Builder
	b.WriteString("# Performance\n\nWritten by `make bench`; do not edit. Measured on:\n\n")
	for _, m := range r.machine {
		fmt.Fprintf(&b, "- %s\n", m)
	}
	r.writePrograms(&b)
	r.writePlugins(&b)
	r.writeCrowds(&b)
	r.writeScale(&b)
	r.writeInbound(&b)
	return b.String()
}

func (r report) writePrograms(b *strings.Builder) {
	fmt.Fprintf(b, `
## Programming a fresh namespace

The injector's standard rules, IPv4 and IPv6 unless said otherwise, as a whole process in a namespace made for it:
start, look around, apply, read back and compare, log. %d starts of each, shuffled in every round, ahead of everything of ordinary priority
(SCHED_FIFO). "Middle half" is where half of the measurements lie. Child processes are programs that were started; memory is the largest of the process and its children.
All programs here are copied into place, as those of an image are: the page cache holds a file that a linker has mapped in single pages, which costs a start up to 0.2 ms, now and then.

| what | median | middle half | ÷ empty program | child processes | system calls | peak memory |
|---|---|---|---|---|---|---|
`, r.rounds)
	empty := r.results[0].median()
	for _, x := range r.results {
		low, high := x.half()
		fmt.Fprintf(b, "| %s | %s | %s–%s | %.2f | %d | %d | %.1f MB |\n", x.name, ms(x.median()), ms(low), ms(high),
			float64(x.median())/float64(empty), x.processes, x.calls, float64(x.peak)/1024)
	}
}

// writePlugins compares each call with the first of its kind: the kind is what
// stands before the colon.
func (r report) writePlugins(b *strings.Builder) {
	fmt.Fprintf(b, `
## One call of a CNI plugin

ADD as a container runtime makes it, for a pod's namespace that is fresh; the agent behind the socket is part of the
benchmark and answers at once. %d calls of each, shuffled in every round.

| what | median | middle half | ÷ first of its kind | child processes | system calls | peak memory |
|---|---|---|---|---|---|---|
`, r.rounds)
	first := map[string]time.Duration{}
	for _, x := range r.plugins {
		kind, _, _ := strings.Cut(x.name, ":")
		if first[kind] == 0 {
			first[kind] = x.median()
		}
		low, high := x.half()
		fmt.Fprintf(b, "| %s | %s | %s–%s | %.2f | %d | %d | %.1f MB |\n", x.name, ms(x.median()), ms(low), ms(high),
			float64(x.median())/float64(first[kind]), x.processes, x.calls, float64(x.peak)/1024)
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

func (r report) writeCrowds(b *strings.Builder) {
	b.WriteString("\n## A hundred namespaces at once\n\nFrom the start of the first process to the end of the last.\n\n| what | median | fastest–slowest |\n|---|---|---|\n")
	for _, c := range r.crowds {
		sortDurations(c.times)
		fmt.Fprintf(b, "| %s | %s | %s–%s |\n", c.name, ms(quantile(c.times, 0.5)), ms(c.times[0]), ms(c.times[len(c.times)-1]))
	}
}

func (r report) writeScale(b *strings.Builder) {
	for _, kind := range []string{"CIDRs", "ports"} {
		sizes := r.sizes(kind)
		if len(sizes) == 0 {
			continue
		}
		fmt.Fprintf(b, "\n## Many excluded %s\n\nConnections per second through the rules, relative to the same rules without exclusions, and the time to load.\n\n", kind)
		if kind == "CIDRs" {
			b.WriteString("![connection rate by number of excluded CIDRs](performance.svg)\n\n")
		}
		b.WriteString("| " + kind)
		for _, n := range sizes {
			fmt.Fprintf(b, " | %d", n)
		}
		b.WriteString(" |\n|---" + strings.Repeat("|---", len(sizes)) + "|\n")
		for _, name := range r.loaders() {
			b.WriteString("| " + name)
			for _, n := range sizes {
				p := r.at(name, kind, n)
				fmt.Fprintf(b, " | %.2f (%.0f ms)", median(p.rates), median(p.loads))
			}
			b.WriteString(" |\n")
		}
	}
}

func (r report) sizes(kind string) []int {
	var list []int
	for _, p := range r.points {
		if p.kind == kind && !slices.Contains(list, p.size) {
			list = append(list, p.size)
		}
	}
	slices.Sort(list)
	return list
}

func (r report) loaders() []string {
	var list []string
	for _, p := range r.points {
		if !slices.Contains(list, p.loader) {
			list = append(list, p.loader)
		}
	}
	slices.Sort(list)
	return list
}

func (r report) at(loader, kind string, size int) point {
	for _, p := range r.points {
		if p.loader == loader && p.kind == kind && p.size == size {
			return p
		}
	}
	return point{rates: []float64{0}, loads: []float64{0}}
}
