#!/usr/bin/env bash
# Installs the Debian packages that the tests need and this machine lacks.
# Usage: packages.sh test|bench|demo|image|lint...
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # a user's own PATH often lacks them

# package:what it is needed for, a command or a file
declare -A lists=(
	[test]="iptables:iptables-legacy-restore iptables:iptables-nft-restore nftables:nft iproute2:ip ipset:ipset
		conntrack:conntrack graphviz:dot librsvg2-bin:rsvg-convert containernetworking-plugins:/usr/lib/cni/bridge containerd:containerd runc:runc"
	[image]="dpkg:dpkg-deb debian-archive-keyring:/usr/share/keyrings/debian-archive-keyring.gpg"
	[demo]="iptables:iptables-legacy-restore iptables:iptables-nft-restore nftables:nft iproute2:ip"
	[bench]="strace:strace"
	[e2e]="podman:podman git:git"
	[race]="gcc:gcc libc6-dev:/usr/include/stdlib.h"
	[lint]="shellcheck:shellcheck"
)

missing=()
for list in "$@"; do
	for entry in ${lists[$list]}; do
		[[ -e ${entry#*:} ]] || command -v "${entry#*:}" >/dev/null || missing+=("${entry%%:*}")
	done
done
((${#missing[@]})) || exit 0

mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
	echo "missing on this machine: ${missing[*]} (as root on Debian or Ubuntu, make installs them)" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# A package's daemon has no business on the machine of a test.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
	trap 'rm -f $policy' EXIT
fi
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
