package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Pass is what one look of the loop came to.
type Pass struct {
	Result
	// Reverts is how often, since the loop began, someone undid our entry.
	Reverts int
	// Held is how long the next write is held back; 0 if none is due.
	Held time.Duration
	// Cause is the known reason for reverts, or that none is known.
	Cause string
	Err   error
}

// Ready reports whether pods that start now pass through the plugin.
func (p Pass) Ready() bool { return p.Err == nil && p.Plan.State == Ready }

// Loop keeps an installation right until its context ends. It removes nothing
// then: on a rolling upgrade the next agent goes on where this one ended.
type Loop struct {
	Installer
	// Notify is called after every pass that did or found something new, from
	// the loop's own goroutine.
	Notify func(Pass)
	// Settle is how long after an event the folder is looked at; more events
	// within that time make one look. Default 20 ms.
	Settle time.Duration
	// Again is how often the folder is looked at without any event; default 30 s.
	Again time.Duration

	backoff backoff
	file    string // the one that was right last; empty until one was
	reverts int
	last    string // the last pass that was told
}

// Run watches until ctx ends and returns nil then; an error means that the
// folders can't be watched at all.
func (l *Loop) Run(ctx context.Context) error {
	l.defaults()
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the configuration folder: %w", err)
	}
	defer w.Close()
	if err := l.Sweep(); err != nil {
		l.tell(Pass{Err: err})
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.Events:
			timer.Reset(l.Settle)
			drain(ctx, w, l.Settle)
		case <-w.Errors: //nolint:errcheck // an overflow loses events, not the folder: look
			timer.Reset(l.Settle)
		case <-timer.C:
			timer.Reset(l.pass(w))
		}
	}
}

func (l *Loop) defaults() {
	if l.Settle == 0 {
		l.Settle = 20 * time.Millisecond
	}
	if l.Again == 0 {
		l.Again = 30 * time.Second
	}
	if l.Notify == nil {
		l.Notify = func(Pass) {}
	}
	l.backoff = newBackoff()
}

// drain takes events for the time given, so that a storm is one look. It does
// not wait for silence: a storm may last.
func drain(ctx context.Context, w *fsnotify.Watcher, d time.Duration) {
	end := time.After(d)
	for {
		select {
		case <-w.Events:
		case <-end:
			return
		case <-ctx.Done():
			return
		}
	}
}

// pass looks once, writes if it may, and says when to look again at the latest.
func (l *Loop) pass(w *fsnotify.Watcher) time.Duration {
	watched := l.watch(w) // before the look: what changes after it is an event
	p := l.look(time.Now())
	p.Err = errors.Join(p.Err, watched)
	l.tell(p)
	switch {
	case p.Held > 0:
		return p.Held
	case p.Err != nil:
		return min(l.Again, time.Second)
	}
	return l.Again
}

// look is one pass at the time now.
func (l *Loop) look(now time.Time) Pass {
	dir, plan, err := l.Look()
	p := Pass{Result: Result{Plan: plan}, Err: err}
	if err == nil && dir != "" && plan.State == Pending && l.file != "" {
		if p.Held = l.backoff.wait(now); p.Held > 0 {
			return l.blame(p)
		}
		if plan.File == l.file { // another file is a new one, not a revert
			l.reverts++
		}
	}
	p.Result, p.Err = l.Once()
	if p.Wrote > 0 {
		l.backoff.wrote(now)
	}
	if p.Ready() {
		l.file = p.Plan.File
	}
	return l.blame(p)
}

// blame adds what is known of who undoes our entry.
func (l *Loop) blame(p Pass) Pass {
	if p.Reverts = l.reverts; l.reverts > 0 {
		p.Cause = Cause(p.Plan.Types)
	}
	return p
}

// tell reports a pass unless it says what the last one said.
func (l *Loop) tell(p Pass) {
	line := fmt.Sprint(p.Plan.State, p.Plan.File, p.Err, p.Plan.Err, p.Reverts, p.Held > 0, p.Plan.Skipped)
	if line == l.last && p.Wrote == 0 && !p.Copied {
		return
	}
	l.last = line
	l.Notify(p)
}

// watch makes the watcher watch exactly the folders that matter now. One that
// is missing is waited for in the nearest folder above it.
func (l *Loop) watch(w *fsnotify.Watcher) error {
	dirs, err := l.folders()
	want := map[string]bool{}
	for _, dir := range dirs {
		want[l.Host.Here(nearest(l.Host.Here, dir))] = true
	}
	for _, dir := range w.WatchList() {
		if !want[dir] {
			_ = w.Remove(dir) // fails only if it is gone already
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(want)) {
		if addErr := w.Add(dir); addErr != nil && !errors.Is(addErr, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("watch %s: %w", dir, addErr))
		}
	}
	return err
}

// nearest is the folder, or the closest one above it that exists.
func nearest(here func(string) string, dir string) string {
	for dir != "/" {
		if info, err := os.Stat(here(dir)); err == nil && info.IsDir() {
			break
		}
		dir = path.Dir(dir)
	}
	return dir
}
