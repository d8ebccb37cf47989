package main

import (
	"fmt"
	"strconv"

	"github.com/sluicemesh/sluice/test/mesh"
	"github.com/sluicemesh/sluice/test/rig"
)

// landing shows where single connections land, and by which rules.
func (d demo) landing() {
	l := mesh.NewLanding(d.stage)
	init := mesh.Init{Program: d.program}
	d.heading("1. One pod: where does a connection land?")
	d.command(init.Args(mesh.Settings{}, d.backend))
	before := d.backend.Counters(d.stage, l.Rig.Pod)
	init.Install(d.stage, l.Rig.Pod, mesh.Settings{}, d.backend)
	d.line("")
	rows := [][]cell{{text("who"), text("to"), text("address"), text("landed at"), text("original destination")}}
	for _, f := range rig.Families() {
		for _, p := range l.Probes(f) {
			rows = append(rows, d.landed(p.Land()))
		}
	}
	d.table(rows)
	d.line("\nRules that matched:")
	d.counters(mesh.Moved(before, d.backend.Counters(d.stage, l.Rig.Pod)))
	d.explain(l)
	d.picture()
}

func (d demo) landed(l mesh.Landed) []cell {
	row := []cell{text("%s", l.Who), text("%s", l.What), text("%v", l.To)}
	if wrong := l.Wrong(); wrong != "" {
		d.stage.Errorf("%s to %v: %s", l.Who, l.To, wrong)
		return append(row, text("%s", wrong).in(red))
	}
	if !l.Captured {
		return append(row, text("the %s", l.Got.Listener), text("left alone").in(dim))
	}
	return append(row, text("sidecar %s (%d)", l.Got.Listener, l.Got.Local.Port()).in(green), text("%v", l.Got.Original))
}

func (d demo) counters(moved []mesh.Counter) {
	rows := [][]cell{{text("connections"), text(""), text("rule")}}
	for _, c := range moved {
		rows = append(rows, []cell{text("%11s", strconv.FormatUint(c.Packets, 10)).in(yellow), text("%s", family(c.Family)), text("%s", c.Rule)})
	}
	d.table(rows)
}

// family is empty for a rule of both.
func family(f rig.Family) string {
	if f == 0 {
		return ""
	}
	return fmt.Sprintf("IPv%d", f)
}
