package nftables

import (
	"context"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

// open returns a connection to a fresh namespace.
func open(t *testing.T) (*rig.Namespace, *Conn) {
	t.Helper()
	n := rig.NewNamespace(t, "nft")
	var c *Conn
	n.Do(func() {
		var err error
		if c, err = Open(); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { c.Close() })
	return n, c
}

func TestApplyVerifiesAndASecondOneChangesNothing(t *testing.T) {
	v4, v6 := samples(t)
	for _, l := range []Layout{Inet, Split} {
		_, c := open(t)
		ctx := context.Background()
		first, err := c.Apply(ctx, v4, v6, Options{Layout: l})
		if err != nil {
			t.Fatal(err)
		}
		if first.Layout != l || first.Plan.Empty() {
			t.Errorf("first apply took layout %v with %d changes, want layout %v and some", first.Layout, first.Plan.Len(), l)
		}
		second, err := c.Apply(ctx, v4, v6, Options{Layout: l})
		if err != nil {
			t.Fatal(err)
		}
		if !second.Plan.Empty() {
			t.Errorf("second apply changed\n%swant nothing", second.Plan)
		}
	}
}

func TestWhatIsSentListsLikeTheTextThatNftLoads(t *testing.T) {
	v4, v6 := samples(t)
	for _, l := range []Layout{Inet, Split} {
		sent, c := open(t)
		if _, err := c.Apply(context.Background(), v4, v6, Options{Layout: l}); err != nil {
			t.Fatal(err)
		}
		ts, err := Translate(l, v4, v6)
		if err != nil {
			t.Fatal(err)
		}
		loaded := rig.NewNamespace(t, "nft")
		if r := loaded.RunCmd(rig.Cmd{Args: []string{"nft", "-f", "-"}, Stdin: ts.String()}); r.Err != nil {
			t.Fatalf("nft -f: %v\n%s\n%s", r.Err, r.Stderr, ts)
		}
		got, want := sent.MustRun("nft", "list", "ruleset"), loaded.MustRun("nft", "list", "ruleset")
		if got != want {
			t.Errorf("sent:\n%s\nloaded by nft:\n%s", got, want)
		}
	}
}
