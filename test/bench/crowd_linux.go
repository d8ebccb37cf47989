package main

import (
	"os/exec"
	"sync"
	"time"
)

// crowd starts a command in so many fresh namespaces at once and returns how
// long it took until the last one ended.
func crowd(argv []string, n int) (time.Duration, error) {
	var ready, ended sync.WaitGroup
	start := make(chan struct{})
	errs := make(chan error, n)
	ready.Add(n)
	for range n {
		ended.Go(func() {
			errs <- inFresh(func() error {
				ready.Done()
				<-start
				if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
					return &commandError{argv, out, err}
				}
				return nil
			})
		})
	}
	ready.Wait()
	begin := time.Now()
	close(start)
	ended.Wait()
	took := time.Since(begin)
	close(errs)
	for err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}
