package main

import (
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sluicemesh/sluice/test/mesh"
	"github.com/sluicemesh/sluice/test/rig"
)

// explain lets sluice say why a connection of each direction went its way.
func (d demo) explain(l mesh.Landing) {
	ways := [][]string{
		{"--from", "app", "--to", rig.Service4(1).String() + ":80"},
		{"--in", "--to", rig.Pod4.String() + ":8080"},
	}
	for _, way := range ways {
		args := append([]string{d.program, "explain", "--live", "--netns", l.Rig.Pod.Name}, way...)
		d.line("")
		d.command(args)
		d.line("%s", strings.TrimSpace(d.sluice(args)))
	}
}

// picture draws the chains.
func (d demo) picture() {
	args := append([]string{d.program, "graph", "--format", "svg"}, mesh.Settings{}.Flags()...)
	d.write("graph.svg", []byte(d.sluice(args)))
	d.line("\nThe same rules as a picture: %s", filepath.Join(d.output, "graph.svg"))
	d.command(append(args, ">", filepath.Join(d.output, "graph.svg")))
}

func (d demo) sluice(args []string) string {
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		d.stage.Fatalf("%s: %v", typed(args), err)
	}
	return string(out)
}
