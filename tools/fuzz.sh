#!/usr/bin/env bash
# Runs every fuzz target of the packages for a while each: fuzz.sh 30s ./...
# Go fuzzes one target of one package at a time. What it finds, it writes into
# the package's testdata/fuzz, where every later `make test` repeats it.
set -euo pipefail
time=$1
shift
said=$(mktemp)
trap 'rm -f "$said"' EXIT

fuzz() {
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" 2>&1 | tee "$said"
}

for package in $(go list "$@"); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "==> $package $target ($time)"
		fuzz "$package" "$target" || {
			# At the end of its time a busy fuzzer may say just this, having found
			# nothing: once more.
			[[ $(tail -n 20 "$said") == *"context deadline exceeded"* ]] || exit 1
			fuzz "$package" "$target"
		}
	done
done
