package cni

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTheLogHasOneLineForADecisionAndIsBounded(t *testing.T) {
	h := newHost(t)
	file := filepath.Join(t.TempDir(), "new", "cni.log")
	conf := config(unmeshed, `"log_file":"`+file+`"`)
	h.call("ADD", conf, "CNI_ARGS="+ofCart)
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), "reason=not-injected") || h.stderr.String() != string(text) {
		t.Errorf("got file %q (%v) and stderr %q, want one equal line each", text, err, h.stderr.String())
	}
	if err := os.WriteFile(file, bytes.Repeat([]byte("x\n"), MaxLog/2), 0o600); err != nil {
		t.Fatal(err)
	}
	h.call("ADD", conf, "CNI_ARGS="+ofCart)
	for name, want := range map[string]bool{file: true, file + ".1": false} {
		info, err := os.Stat(name)
		if err != nil || (info.Size() < 1<<10) != want {
			t.Errorf("%s: got %v, %v; want small: %v", filepath.Base(name), info, err, want)
		}
	}
}

func TestALogFileThatCannotBeWrittenStopsNoPod(t *testing.T) {
	h := newHost(t)
	if code, out := h.call("ADD", config(unmeshed, `"log_file":"/proc/nowhere/x"`), "CNI_ARGS="+ofCart); code != 0 || !strings.Contains(h.stderr.String(), "log file") {
		t.Errorf("got %d %s, stderr %q", code, out, h.stderr.String())
	}
}

// A FIFO's opening waits for a reader, and no deadline ends it.
func TestALogFileThatIsNoRegularFileIsRefusedAtOnce(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHost(t)
	done := make(chan int, 1)
	add := func() {
		code, _ := h.call("ADD", config(unmeshed, `"log_file":"`+fifo+`"`), "CNI_ARGS="+ofCart)
		done <- code
	}
	go add()
	select {
	case code := <-done:
		if code != 0 || !strings.Contains(h.stderr.String(), "log file cannot be written") {
			t.Errorf("got %d, stderr %q", code, h.stderr.String())
		}
	case <-time.After(5 * time.Second):
		t.Error("ADD waits for somebody to read the FIFO")
	}
	reader, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	h.stderr.Reset()
	go add()
	if code := <-done; code != 0 || !strings.Contains(h.stderr.String(), "is no regular file") {
		t.Errorf("with a reader: got %d, stderr %q", code, h.stderr.String())
	}
}
