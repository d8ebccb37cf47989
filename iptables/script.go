package iptables

import "strings"

// String is the text for iptables-restore --noflush: a block for each table
// that changes. Restore commits table by table, so a block is applied whole or
// not at all; undoing earlier tables when a later one fails is the caller's.
func (s Script) String() string {
	var b strings.Builder
	for _, t := range s.Tables {
		t.write(&b)
	}
	return b.String()
}

// String is the commit of one table alone.
func (t TableScript) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t TableScript) write(b *strings.Builder) {
	line := func(text string) { b.WriteString(text); b.WriteByte('\n') }
	line("*" + string(t.Table))
	for _, group := range [][]string{t.Declare, t.Delete, t.Append, t.Destroy} {
		for _, text := range group {
			line(text)
		}
	}
	line("COMMIT")
}

// Render is the restore text that makes a rule set in an empty namespace. A dry
// run prints these bytes and apply loads them.
func Render(want Ruleset) string { return Reconcile(Ruleset{}, want).String() }

// Lines counts the changes of a script: chains declared and destroyed, rules
// deleted and appended.
func (s Script) Lines() int {
	n := 0
	for _, t := range s.Tables {
		n += len(t.Declare) + len(t.Delete) + len(t.Append) + len(t.Destroy)
	}
	return n
}
