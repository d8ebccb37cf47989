#!/usr/bin/env bash
# Runs every fuzz target of the packages for a while each: fuzz.sh 30s ./...
# Go fuzzes one target of one package at a time. What it finds, it writes into
# the package's testdata/fuzz, where every later `make test` repeats it.
set -euo pipefail
time=$1
shift
for package in $(go list "$@"); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "==> $package $target ($time)"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
	done
done
