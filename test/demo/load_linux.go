package main

import (
	"context"
	"strconv"

	"github.com/sluicemesh/sluice/test/mesh"
)

// load shows that rules may change while connections are opened.
func (d demo) load() {
	const open = 20
	d.heading("4. %d connections at a time for %v, while the rules change", d.atATime, d.long)
	l := mesh.NewLoad(d.stage)
	path := mesh.Init{Program: d.program}
	path.Install(d.stage, l.Rig.Pod, mesh.Settings{}, d.backend)
	ctx, cancel := context.WithTimeout(context.Background(), d.long)
	defer cancel()
	done := make(chan mesh.LoadReport)
	go func() { done <- l.Run(ctx, d.atATime, open) }()
	changes := 0
	for ; ctx.Err() == nil; changes++ {
		path.Install(d.stage, l.Rig.Pod, mesh.Settings{ExcludeOutboundPorts: strconv.Itoa(9990 + changes%2)}, d.backend)
	}
	r := <-done
	for _, f := range r.Failures {
		d.stage.Errorf("%s", f)
	}
	if r.Escaped > 0 {
		d.stage.Errorf("%d connections reached their peer past the sidecar", r.Escaped)
	}
	d.line("")
	d.table([][]cell{
		{text("rules changed"), text("connections answered"), text("refused, reset or misrouted"), text("past the sidecar"), text("exchanges on %d open ones", open)},
		{text("%d times", changes), text("%d", r.Answered), text("%d", len(r.Failures)), text("%d", r.Escaped), text("%d", r.Exchanges)},
	})
}
