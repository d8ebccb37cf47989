package events

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestTheSameThingIsToldOnceAndAnotherAgain(t *testing.T) {
	client := fake.NewClientset()
	agent := func() Teller { return Teller{Client: client, Node: "node-a", Now: time.Now} }
	e := Event{Namespace: "shop", Name: "cart", UID: "u1", Reason: "Repaired", Message: "m", Once: "c1"}
	for i, step := range []struct {
		change func()
		made   bool
	}{
		{func() {}, true},
		{func() {}, false}, // another agent, after a restart
		{func() { e.Once = "c2" }, true},
		{func() { e.UID = "u2" }, true},
		{func() { e.Reason = "Deleted" }, true},
		{func() { e.Message = "said differently" }, false},
	} {
		step.change()
		if made, err := agent().Tell(context.Background(), e); err != nil || made != step.made {
			t.Errorf("step %d: got %v, %v; want %v", i, made, err, step.made)
		}
	}
	list, err := client.CoreV1().Events("shop").List(context.Background(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 4 {
		t.Fatalf("got %d events, %v; want 4", len(list.Items), err)
	}
}

func TestLongNamesAndMessagesAreCutToWhatTheServerAccepts(t *testing.T) {
	e := Event{Name: strings.Repeat("n", 253), Message: strings.Repeat("ü", 2000)}
	if got := len(e.name()); got != 253 {
		t.Errorf("name: got %d bytes, want 253", got)
	}
	if got := short(e.Message); len(got) > maxMessage || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
		t.Errorf("message: got %d bytes, valid %v; want at most %d, whole runes", len(got), utf8.ValidString(got), maxMessage)
	}
}
