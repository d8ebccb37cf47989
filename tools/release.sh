#!/usr/bin/env bash
# Packs what `make release` has built into dist/: an archive for each platform,
# the chart, bills of material, checksums. The same commit gives the same bytes.
# Environment: VERSION, SOURCE_DATE_EPOCH, DIST.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# pack ARCHIVE FOLDER NAME...: a tar archive without a trace of who made it when
pack() {
	local archive=$1 folder=$2
	shift 2
	tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode='go-w' \
		-C "$folder" -cf - "$@" | gzip -9n >"$archive"
}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

for platform in build/{linux,darwin,windows}-{amd64,arm64}; do
	name=sluice-$VERSION-${platform#build/}
	mkdir "$stage/$name"
	cp "$platform"/* LICENSE "$DIST/licences.txt" "$stage/$name/"
	if [[ $platform == build/linux-* ]]; then
		cp -r docs/man build/completions "$stage/$name/"
	fi
	pack "$DIST/$name.tar.gz" "$stage" "$name"
done

# Helm wants a semantic version; a tag has one, a commit gets 0.0.0.
chart=${VERSION#v}
[[ $chart =~ ^[0-9]+\.[0-9]+\.[0-9]+ ]] || chart=0.0.0-$chart
build/tools/helm package --version "$chart" --app-version "$VERSION" -d "$stage" deploy/chart/sluice >/dev/null
tar -xzf "$stage/sluice-$chart.tgz" -C "$stage"
pack "$DIST/sluice-chart-$chart.tgz" "$stage" sluice

mkdir "$stage/manifests"
for file in deploy/manifests/*.yaml; do
	sed "s|/sluice-node:dev\$|/sluice-node:${VERSION//+/-}|" "$file" >"$stage/manifests/${file##*/}"
done
pack "$DIST/sluice-manifests-$VERSION.tar.gz" "$stage" manifests

cd "$DIST"
sha256sum -- *.tar.gz *.tgz *.oci.tar *.spdx.json licences.txt >SHA256SUMS
