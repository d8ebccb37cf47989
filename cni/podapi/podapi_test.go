package podapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestALineOverItsLimitIsNeitherSentNorRead(t *testing.T) {
	long := Request{Version: 1, Name: strings.Repeat("x", MaxRequest)}
	if _, err := encode(message{Pod: &long}, MaxRequest); !errors.Is(err, errTooLong) {
		t.Errorf("encode of %d bytes: got %v, want %v", MaxRequest, err, errTooLong)
	}
	for _, size := range []int{MaxRequest, MaxRequest + 1} {
		line := strings.Repeat("x", size-1) + "\n"
		got, err := readLine(strings.NewReader(line), MaxRequest)
		if fits := size <= MaxRequest; fits != (err == nil) || fits && string(got)+"\n" != line || !fits && !errors.Is(err, errTooLong) {
			t.Errorf("%d bytes: got %d bytes and %v", size, len(got), err)
		}
	}
	flood := io.MultiReader(strings.NewReader(strings.Repeat("x", MaxRequest)), forever{})
	if _, err := readLine(flood, MaxRequest); !errors.Is(err, errTooLong) {
		t.Errorf("endless line: got %v, want %v", err, errTooLong)
	}
}

// forever is a peer that never stops talking and never ends its line.
type forever struct{}

func (forever) Read(p []byte) (int, error) { return len(p), nil }

func TestALineCutShortIsNoLine(t *testing.T) {
	_, err := readLine(strings.NewReader(`{"pod":{"version":1`), MaxRequest)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

func TestAMessageSaysExactlyOneThing(t *testing.T) {
	for _, line := range []string{`{}`, `null`, `{"pod":{},"report":{}}`, `[]`, `{"pod":7}`, ``} {
		if m, err := decodeMessage([]byte(line)); err == nil {
			t.Errorf("decodeMessage(%s): got %+v, want an error", line, m)
		}
	}
}

func TestAnAnswerForAnotherPodIsRefused(t *testing.T) {
	ask := Request{Namespace: "shop", Name: "cart", UID: "u1"}
	tests := []struct {
		name string
		res  Response
		ok   bool
	}{
		{"the pod", Response{UID: "u1", Found: true, Pod: &Pod{Namespace: "shop", Name: "cart", UID: "u1"}}, true},
		{"a static pod by its config hash", Response{UID: "u1", Found: true, Pod: &Pod{Namespace: "shop", Name: "cart", UID: "api", ConfigHash: "u1"}}, true},
		{"not found", Response{UID: "u1"}, true},
		{"another uid echoed", Response{UID: "u2"}, false},
		{"successor under the same name", Response{UID: "u1", Found: true, Pod: &Pod{Namespace: "shop", Name: "cart", UID: "u2"}}, false},
		{"another name", Response{UID: "u1", Found: true, Pod: &Pod{Namespace: "shop", Name: "till", UID: "u1"}}, false},
		{"found without pod", Response{UID: "u1", Found: true}, false},
	}
	for _, tt := range tests {
		if err := tt.res.answers(ask); (err == nil) != tt.ok {
			t.Errorf("%s: got %v, want ok=%v", tt.name, err, tt.ok)
		}
	}
}

func TestAReportAlwaysFitsItsLine(t *testing.T) {
	hostile := strings.Repeat("\x00\"\\é\u2028", 1000)
	r := Report{Version: 1, Verb: "ADD", Outcome: "error", Reason: "apply", Message: hostile}
	r.Warnings = []string{hostile, hostile, hostile, hostile, hostile}
	fitted := r.fits()
	if line, err := encode(message{Report: &fitted}, MaxRequest); err != nil {
		t.Errorf("got %v (%d bytes), want at most %d", err, len(line), MaxRequest)
	}
	if len(r.Warnings) != 5 || r.Warnings[0] != hostile {
		t.Errorf("the caller's report was changed: %d warnings", len(r.Warnings))
	}
}

func TestKeysADecisionReadsAreKeptAndOthersStayBehind(t *testing.T) {
	tests := []struct {
		keep func(string) bool
		key  string
		want bool
	}{
		{KeepAnnotation, "sidecar.istio.io/status", true},
		{KeepAnnotation, "sidecar.istio.io/inject", true},
		{KeepAnnotation, "traffic.sidecar.istio.io/excludeOutboundPorts", true},
		{KeepAnnotation, "traffic.sidecar.istio.io/kubevirtInterfaces", true},
		{KeepAnnotation, "sluice.sluicemesh.io/ip-families", true},
		{KeepAnnotation, "kubectl.kubernetes.io/last-applied-configuration", false},
		{KeepAnnotation, "sidecar.istio.io/userVolume", false},
		{KeepLabel, "sidecar.istio.io/inject", true},
		{KeepLabel, "app", false},
		{KeepEnv, "ISTIO_META_DNS_CAPTURE", true},
		{KeepEnv, "DISABLE_ENVOY", true},
		{KeepEnv, "PASSWORD", false},
		{KeepEnv, "ISTIO_META_SECRET", false},
		{KeepEnv, "ISTIO_META_DNS_CAPTURE_OF_ANOTHER", false},
		{KeepEnv, "PROXY_CONFIG", false},
	}
	for _, tt := range tests {
		if got := tt.keep(tt.key); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.key, got, tt.want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, s := range []string{
		`{"pod":{"version":1,"namespace":"shop","name":"cart","uid":"u1"}}`,
		`{"report":{"version":1,"verb":"ADD","outcome":"pass","reason":"no-status","micros":900}}`,
		`{}`, `{"pod":null}`, "\x00", `{"pod":{"version":-1}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		line, err := readLine(bytes.NewReader(in), MaxRequest)
		if err != nil {
			return
		}
		m, err := decodeMessage(line)
		if err != nil {
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%q decoded, but does not encode: %v", in, err)
		}
		m2, err := decodeMessage(again)
		if err != nil || !reflect.DeepEqual(m, m2) {
			t.Fatalf("%q: %+v became %+v (%v)", in, m, m2, err)
		}
	})
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"version":1,"uid":"u1","found":true,"pod":{"namespace":"shop","name":"cart","uid":"u1"}}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var res Response
		if json.Unmarshal(in, &res) != nil {
			return
		}
		ask := Request{Namespace: "shop", Name: "cart", UID: "u1"}
		if res.answers(ask) == nil && res.Found && (res.Pod.Name != "cart" || !res.Pod.Is("u1")) {
			t.Fatalf("%q was taken for shop/cart", in)
		}
	})
}
