package graph

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sluicemesh/sluice/iptables"
)

// Kind is what a box stands for.
type Kind string

// The kinds of boxes.
const (
	Hook    Kind = "hook"    // a built-in chain
	Chain   Kind = "chain"   // a user-defined chain
	Outcome Kind = "outcome" // where packets end
)

// Box is a chain or an outcome.
type Box struct {
	ID     string
	Kind   Kind
	Table  iptables.Table // of a chain
	Title  string
	Detail string // below the title
	Rows   []Row
	Hot    bool // on the highlighted path
	column int
}

// Row is a rule.
type Row struct {
	Number int    // in its chain, from 1; 0 for a row that is no rule
	Words  string // the rule for people
	Text   string // the rule as the save tools print it
	To     string // ID of the box it leads to, "" for one that ends here
	End    string // what happens in a row that leads nowhere
	Hot    bool
}

// Picture is boxes in columns, the leftmost first.
type Picture struct {
	Title   string
	Boxes   []Box
	columns int
}

// Place is a rule that a connection matched, to be highlighted.
type Place struct {
	Table  iptables.Table
	Chain  string
	Number int
}

// Options are what a picture shows besides the rules.
type Options struct {
	Title string
	// Names of the ports to which rules capture, such as "In".
	Names map[iptables.Port]string
	// Path are the rules that a connection matched, in order.
	Path []Place
	// End is the outcome of that connection: the ID of an outcome box.
	End string
}

// Bounds of what a picture can show and still be one.
const (
	mostRows  = 40 // of a box
	mostBoxes = 60
)

// IDs of the outcomes that have no port.
const (
	EndDirect  = "direct"
	EndDropped = "dropped"
	EndUnknown = "unknown"
)

// EndPort is the ID of the outcome of a captured connection.
func EndPort(p iptables.Port) string { return fmt.Sprintf("port%d", p) }

// Of draws the rules of one family. Chains that no hook leads to are left out.
func Of(rs iptables.Ruleset, o Options) Picture {
	d := drawing{rules: rs, options: o, depth: map[string]int{}}
	for _, path := range []iptables.Path{iptables.Arriving, iptables.Leaving} {
		for _, h := range path.Hooks() {
			if c, ok := rs.Chain(h.Table, h.Chain); ok && (len(c.Rules) > 0 || c.Policy == iptables.VerdictDrop) {
				d.reach(c, 0)
			}
		}
	}
	for _, c := range d.order {
		d.chain(c)
	}
	d.outcomes()
	return d.picture()
}

// drawing is a picture in the making.
type drawing struct {
	rules   iptables.Ruleset
	options Options
	order   []iptables.Chain
	depth   map[string]int
	boxes   []Box
	ends    []Box
}

func id(t iptables.Table, chain string) string { return string(t) + "/" + chain }

// reach notes how many jumps lead to a chain at most.
func (d *drawing) reach(c iptables.Chain, depth int) {
	key := id(c.Table, c.Name)
	known, seen := d.depth[key]
	if !seen && len(d.order) >= mostBoxes || depth > mostBoxes {
		return
	}
	if !seen {
		d.order = append(d.order, c)
	}
	if seen && known >= depth {
		return
	}
	d.depth[key] = depth
	for i := range c.Rules {
		if i >= mostRows && !d.hot(c, i+1) {
			continue
		}
		if to, ok := d.rules.Chain(c.Table, c.Rules[i].JumpChain()); ok && to.Name != "" {
			d.reach(to, depth+1)
		}
	}
}

func (d *drawing) hot(c iptables.Chain, number int) bool {
	return slices.Contains(d.options.Path, Place{c.Table, c.Name, number})
}

func (d *drawing) chain(c iptables.Chain) {
	b := Box{ID: id(c.Table, c.Name), Kind: Chain, Table: c.Table, Title: c.Name, Detail: "table " + string(c.Table), column: d.depth[id(c.Table, c.Name)]}
	if c.IsBuiltin() {
		b.Kind = Hook
		b.Detail += direction(c.Name)
	}
	left := 0
	for i, r := range c.Rules {
		if i >= mostRows && !d.hot(c, i+1) {
			left++
			continue
		}
		row := d.row(c, i+1, r)
		b.Hot = b.Hot || row.Hot
		b.Rows = append(b.Rows, row)
	}
	if left > 0 {
		b.Rows = append(b.Rows, Row{Words: "rules not shown: " + strconv.Itoa(left)})
	}
	if c.Policy == iptables.VerdictDrop {
		b.Rows = append(b.Rows, Row{Words: "everything else", Text: "policy DROP", To: d.end(EndDropped)})
	}
	d.boxes = append(d.boxes, b)
}

func direction(hook string) string {
	switch hook {
	case iptables.Output, iptables.Postrouting:
		return ", leaves a process"
	case iptables.Prerouting, iptables.Input:
		return ", arrives"
	}
	return ""
}

func (d *drawing) row(c iptables.Chain, number int, r iptables.Rule) Row {
	row := Row{Number: number, Words: conditions(r), Text: r.String(), Hot: d.hot(c, number)}
	switch t := r.Target.(type) {
	case iptables.JumpTo:
		if _, ok := d.depth[id(c.Table, t.Chain)]; ok {
			row.To = id(c.Table, t.Chain)
		} else {
			row.End = "to " + t.Chain
		}
	case iptables.Redirect:
		row.To = d.end(EndPort(t.Port))
	case iptables.TProxy:
		row.To = d.end(EndPort(t.Port))
	case iptables.Verdict:
		row.To, row.End = d.verdict(c, t)
	default:
		row.End = action(r.Target)
	}
	return row
}

// verdict: what is dropped leads to that outcome; what is left alone says so
// where it stands, for lines from every such rule would hide all others.
func (d *drawing) verdict(c iptables.Chain, v iptables.Verdict) (to, text string) {
	switch {
	case v == iptables.VerdictDrop:
		return d.end(EndDropped), ""
	case v == iptables.VerdictReturn && !c.IsBuiltin() && !iptables.Own(c.Table, c.Name):
		return "", "back"
	case v == iptables.VerdictAccept:
		return "", "accepted"
	case v == iptables.VerdictQueue:
		return "", "to user space"
	}
	return "", "left alone"
}

// end makes the box of an outcome, if need be, and returns its ID.
func (d *drawing) end(name string) string {
	if !slices.ContainsFunc(d.ends, func(b Box) bool { return b.ID == name }) {
		d.ends = append(d.ends, Box{ID: name, Kind: Outcome})
	}
	return name
}

// outcomes names the boxes of outcomes and puts them in order.
func (d *drawing) outcomes() {
	if d.options.End == EndDirect || d.options.End == EndUnknown {
		d.end(d.options.End)
	}
	for i := range d.ends {
		b := &d.ends[i]
		b.Hot = b.ID == d.options.End
		b.Title, b.Detail = d.endWords(b.ID)
	}
}

func (d *drawing) endWords(name string) (title, detail string) {
	switch name {
	case EndDirect:
		return "left alone", "goes where it wanted to"
	case EndDropped:
		return "dropped", "does not arrive"
	case EndUnknown:
		return "not known", ""
	}
	var port iptables.Port
	fmt.Sscanf(name, "port%d", &port) //nolint:errcheck // made by EndPort
	switch d.options.Names[port] {
	case "In":
		return fmt.Sprintf("port %d", port), "proxy, inbound"
	case "Out":
		return fmt.Sprintf("port %d", port), "proxy, outbound"
	case "DNS":
		return fmt.Sprintf("port %d", port), "agent, DNS"
	}
	return fmt.Sprintf("port %d", port), "a local port"
}

// picture puts the outcomes into the last column.
func (d *drawing) picture() Picture {
	p := Picture{Title: d.options.Title, Boxes: d.boxes}
	last := 0
	for _, b := range p.Boxes {
		last = max(last, b.column)
	}
	for _, b := range d.ends {
		b.column = last + 1
		p.Boxes = append(p.Boxes, b)
	}
	p.columns = last + 2
	return p
}
