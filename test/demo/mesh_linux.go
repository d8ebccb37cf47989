package main

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/sluicemesh/sluice/test/mesh"
	"github.com/sluicemesh/sluice/test/rig"
)

// scenes shows the mesh: who reaches whom, and what the wire tells.
func (d demo) scenes() *mesh.Mesh {
	m := mesh.New(d.stage, mesh.Init{Program: d.program}, d.backend)
	d.heading("2. A mesh: full and part have sidecars, legacy has none")
	d.line("Each call is looked at on the server's wire by a packet socket: a token that can be read is plain text.")
	for _, s := range mesh.Scenes() {
		d.line("\n%s %s", d.paint(bold, s.Name+":"), s.Note)
		v4, v6 := s.Play(d.stage, m, rig.IPv4), s.Play(d.stage, m, rig.IPv6)
		if len(s.Rows) == len(mesh.Namespaces())*len(mesh.Namespaces()) {
			d.matrix(v4)
		} else {
			d.calls(v4)
		}
		d.compare(v4, v6)
		if s.Name == "PERMISSIVE" {
			d.captures(v4)
		}
	}
	return m
}

// captures keeps what the wires of an encrypted and of a plain call have shown.
func (d demo) captures(outcomes []mesh.Outcome) {
	for name, o := range map[string]mesh.Outcome{"tls.pcap": outcomes[0], "plain.pcap": outcomes[len(outcomes)-1]} {
		var b bytes.Buffer
		if err := mesh.WritePcap(&b, o.Packets); err != nil {
			d.stage.Fatal(err)
		}
		d.write(name, b.Bytes())
	}
	d.line("  packets of the first and the last call: %s, %s", filepath.Join(d.output, "tls.pcap"), filepath.Join(d.output, "plain.pcap"))
}

// write keeps something that is no text.
func (d demo) write(name string, content []byte) {
	if err := os.WriteFile(filepath.Join(d.output, name), content, 0o644); err != nil {
		d.stage.Fatal(err)
	}
}

// matrix shows calls of every client to every server as a square.
func (d demo) matrix(outcomes []mesh.Outcome) {
	head, rows := []cell{text("from \\ to")}, [][]cell{nil}
	for i, o := range outcomes {
		if n := len(mesh.Namespaces()); i%n == 0 {
			rows = append(rows, []cell{text("%s", o.Want.From)})
		}
		if len(rows) == 2 {
			head = append(head, text("%s", o.Want.To))
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], result(o))
	}
	rows[0] = head
	d.table(rows)
}

// calls shows calls as a list.
func (d demo) calls(outcomes []mesh.Outcome) {
	rows := [][]cell{{text("from"), text("to"), text("result"), text("the server was connected to by"), text("and knows its client as")}}
	for _, o := range outcomes {
		to := o.Want.To
		if o.Want.Direct {
			to += ", by address"
		}
		rows = append(rows, []cell{text("%s", o.Want.From), text("%s", to), result(o), text("%s", o.Got.Peer), text("%s", o.Got.Client)})
	}
	d.table(rows)
}

// result is green for encrypted, yellow for plain text, red for no answer.
func result(o mesh.Outcome) cell {
	c := text("%s %s", o.Got.Status, o.Got.Wire)
	switch {
	case o.Got.Status != "200":
		return text("%s", o.Got.Status).in(red)
	case o.Got.Wire == mesh.Plain:
		return c.in(yellow)
	case o.Got.Wire == mesh.Silent:
		return text("%s within the pod", o.Got.Status).in(green)
	}
	return c.in(green)
}

// compare holds both families to the expectation.
func (d demo) compare(v4, v6 []mesh.Outcome) {
	ok := true
	for i, both := range [][]mesh.Outcome{v4, v6} {
		for _, o := range both {
			if wrong := o.Wrong(); wrong != "" {
				d.stage.Errorf("IPv%d: %s", rig.Families()[i], wrong)
				ok = false
			}
		}
	}
	if ok {
		d.line("  %s", d.paint(dim, "IPv6: the same"))
	}
}
