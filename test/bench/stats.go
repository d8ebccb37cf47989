package main

import (
	"slices"
	"time"
)

func sortDurations(list []time.Duration) { slices.Sort(list) }

// quantile of a sorted list, q from 0 to 1.
func quantile[T any](sorted []T, q float64) T { return sorted[int(q*float64(len(sorted)-1)+0.5)] }

func (r result) median() time.Duration { return quantile(r.times, 0.5) }

// half is where the middle half of the measurements lies.
func (r result) half() (low, high time.Duration) {
	return quantile(r.times, 0.25), quantile(r.times, 0.75)
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return quantile(sorted, 0.5)
}
