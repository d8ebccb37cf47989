package faults

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/program"
)

// plugin calls sluice-cni for the scene's pod as a runtime without Kubernetes
// would, so that both ADD and DEL write.
type plugin struct {
	*scene
	path, backend string
}

func (p plugin) command(verb string) (*exec.Cmd, *bytes.Buffer) {
	out := &bytes.Buffer{}
	cmd := exec.Command(p.path)
	cmd.Env = []string{
		"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + p.Pod.Name, "CNI_NETNS=" + p.Pod.Path(), "CNI_IFNAME=eth0", "CNI_PATH=/usr/lib/cni",
	}
	cmd.Stdin = strings.NewReader(fmt.Sprintf(`{"cniVersion":"1.0.0","name":"pods","type":"sluice-cni","backend":%q,
		"interception":{"istio-service-cidr":"*","istio-inbound-ports":"*"},"prevResult":{"cniVersion":"1.0.0","interfaces":[],"ips":[]}}`, p.backend))
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// run is an undisturbed call, from the world's namespace: the plugin refuses to
// program its own.
func (p plugin) run(verb string) error {
	cmd, out := p.command(verb)
	var err error
	p.World.Do(func() { err = cmd.Run() })
	if err != nil {
		return fmt.Errorf("%s: %w: %s", verb, err, out)
	}
	return nil
}

// disturb calls the plugin and does something at its n-th step; done is false
// if it ended before.
func (p plugin) disturb(verb string, n int, do Action) (at Step, done bool, out string, err error) {
	cmd, text := p.command(verb)
	p.World.Do(func() {
		err = Trace(cmd, func(s Step) Action {
			if do.Kill != Nobody && !s.Changes() || !s.Own && swallowed[s.Call] {
				return Action{}
			}
			if n--; n != -1 {
				return Action{}
			}
			at, done = s, true
			if do.Kill == Nobody {
				return Action{Errno: refusals[s.Number%len(refusals)]}
			}
			return do
		})
	})
	return at, done, text.String(), err
}

func (p plugin) must(verb string) {
	p.t.Helper()
	if err := p.run(verb); err != nil {
		p.t.Error(err)
	}
}

func eachPlugin(t *testing.T, test func(*testing.T, plugin)) {
	path := program.Build(t, "cmd/sluice-cni")
	for _, b := range backends {
		t.Run(b, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "")
			t.Cleanup(func() { _ = os.Remove("/run/sluice-cni/" + s.Pod.Name) })
			test(t, plugin{s, path, b})
		})
	}
}

func TestPluginKilledAtEveryStepOfAddTheNextAddFinishes(t *testing.T) {
	eachPlugin(t, func(t *testing.T, p plugin) {
		var l tally
		points := 0
		for n := first(); ; n, points = n+*every, points+1 {
			p.must("DEL")
			at, dead, _, _ := p.disturb("ADD", n, Action{Kill: All})
			if !dead {
				break
			}
			p.must("ADD")
			l.try("ADD again after a kill at "+at.String(), p.probes())
		}
		l.mustHaveHeld(t)
		record(t, "kill the plugin's ADD", points, l.total())
	})
}

// A runtime calls DEL after an ADD that it had to kill, and must find all that
// this one has begun.
func TestPluginKilledAtEveryStepOfAddTheNextDelLeavesNothing(t *testing.T) {
	eachPlugin(t, func(t *testing.T, p plugin) {
		p.must("ADD")
		p.must("DEL") // what tables and modules there are, stays
		before := p.Pod.State()
		points := 0
		for n := first(); ; n, points = n+*every, points+1 {
			at, dead, _, _ := p.disturb("ADD", n, Action{Kill: All})
			p.must("DEL")
			if !dead {
				break
			}
			if diff := p.differs(before); diff != "" {
				t.Errorf("ADD killed at %s, then DEL, this is left or lost:\n%s", at, diff)
			}
		}
		record(t, "kill the plugin's ADD, then DEL", points, 0)
	})
}

func TestPluginKilledAtEveryStepOfDelTheNextDelLeavesNothing(t *testing.T) {
	eachPlugin(t, func(t *testing.T, p plugin) {
		p.must("ADD")
		p.must("DEL")
		before := p.Pod.State()
		points := 0
		for n := first(); ; n, points = n+*every, points+1 {
			p.must("ADD")
			at, dead, _, _ := p.disturb("DEL", n, Action{Kill: All})
			if !dead {
				break
			}
			p.must("DEL")
			if diff := p.differs(before); diff != "" {
				t.Errorf("killed at %s, then DEL, this is left or lost:\n%s", at, diff)
			}
		}
		record(t, "kill the plugin's DEL", points, 0)
	})
}

func TestPluginRefusedAtEveryStepOfDelTheNextDelLeavesNothing(t *testing.T) {
	eachPlugin(t, func(t *testing.T, p plugin) {
		p.must("ADD")
		p.must("DEL")
		before := p.Pod.State()
		points := 0
		for n := first(); ; n, points = n+*every, points+1 {
			p.must("ADD")
			at, done, out, err := p.disturb("DEL", n, Action{})
			if !done {
				break
			}
			if at.Call != "write stdout" && err != nil && !strings.Contains(out, `"code":`) || strings.Contains(out, "panic:") {
				t.Errorf("refused at %s, DEL ended with %v and\n%s", at, err, out)
			}
			if diff := p.differs(before); err == nil && diff != "" {
				t.Errorf("refused at %s, DEL said that all is gone, and this is left or lost:\n%s", at, diff)
			}
			p.must("DEL")
			if diff := p.differs(before); diff != "" {
				t.Errorf("refused at %s, then DEL, this is left or lost:\n%s", at, diff)
			}
		}
		record(t, "refuse a system call to the plugin's DEL", points, 0)
	})
}

// A pod starts captured, or the runtime is told that it cannot start.
func TestPluginRefusedAtEveryStepOfAddFailsClosed(t *testing.T) {
	eachPlugin(t, func(t *testing.T, p plugin) {
		var l tally
		points, failed := 0, 0
		for n := first(); ; n, points = n+*every, points+1 {
			p.must("DEL")
			at, done, out, err := p.disturb("ADD", n, Action{})
			if !done {
				break
			}
			switch {
			case err == nil:
				l.try("ADD said yes after a refusal at "+at.String(), p.probes())
			case at.Call != "write stdout" && !strings.Contains(out, `"code":`) || strings.Contains(out, "panic:"):
				t.Errorf("refused at %s, ADD ended with %v and\n%s", at, err, out)
			default:
				failed++
			}
			p.must("ADD")
			l.try("ADD again after a refusal at "+at.String(), p.probes())
		}
		if points > 10 && failed == 0 {
			t.Error("no refusal made ADD fail: they did not reach it")
		}
		l.mustHaveHeld(t)
		record(t, "refuse a system call to the plugin's ADD", points, l.total())
	})
}
