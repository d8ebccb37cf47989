package rig

import "github.com/sluicemesh/sluice/test/sidecar"

// Sidecar runs a test sidecar in the namespace as this user, until the test
// ends. The configuration's Net is filled in.
func (n *Namespace) Sidecar(as User, c sidecar.Config) *sidecar.Sidecar {
	n.t.Helper()
	c.Net = n.Net(as)
	s, err := sidecar.Start(c)
	if err != nil {
		n.t.Fatalf("start the sidecar in %s: %v", n.Name, err)
	}
	n.t.Cleanup(s.Close)
	return s
}

// App runs a test server in the namespace as this user, until the test ends.
func (n *Namespace) App(as User, name string, at ...string) *sidecar.App {
	n.t.Helper()
	a, err := sidecar.StartApp(n.Net(as), name, at...)
	if err != nil {
		n.t.Fatalf("start the app in %s: %v", n.Name, err)
	}
	n.t.Cleanup(a.Close)
	return a
}

// Ask connects from the namespace as this user and returns who answered.
func (n *Namespace) Ask(as User, network, to string) (sidecar.Report, error) {
	return sidecar.Ask(n.Net(as), network, to)
}
