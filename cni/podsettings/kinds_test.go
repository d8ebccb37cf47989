package podsettings

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// Objects as Kubernetes takes them, each with a pod called p.
func TestTheWayToThePodOfEveryKindThatMakesPods(t *testing.T) {
	const pod = `{"metadata":{"name":"p"}}`
	objects := map[string]string{
		"Pod":         pod,
		"PodTemplate": `{"template":` + pod + `}`,
		"CronJob":     `{"spec":{"jobTemplate":{"spec":{"template":` + pod + `}}}}`,
	}
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"} {
		objects[kind] = `{"spec":{"template":` + pod + `}}`
	}
	for kind, text := range objects {
		way, ok := Templates()[kind]
		raw := json.RawMessage(text)
		for _, key := range way {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(raw, &fields); err != nil {
				t.Fatal(err)
			}
			raw = fields[key]
		}
		if !ok || string(raw) != pod {
			t.Errorf("%s: by %q one gets to %q, want the pod", kind, way, raw)
		}
	}
	if got, want := slices.Sorted(maps.Keys(Templates())), slices.Sorted(maps.Keys(objects)); !slices.Equal(got, want) {
		t.Errorf("got the kinds %q, want %q", got, want)
	}
}
