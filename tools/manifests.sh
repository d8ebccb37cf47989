#!/usr/bin/env bash
# Renders the chart into plain manifests, one for each platform that needs its
# own and one with repair. Usage: manifests.sh FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# render NAME VALUE...: the namespace, which Helm makes itself, and the chart
render() {
	local file=$1
	shift
	{
		echo "# Rendered from deploy/chart/sluice by \`make manifests\`${1:+ with ${*#--set=}}."
		cat <<-'YAML'
			apiVersion: v1
			kind: Namespace
			metadata:
			  name: sluice-system
			  labels:
			    # The agent writes to folders of the host.
			    pod-security.kubernetes.io/enforce: privileged
		YAML
		build/tools/helm template sluice deploy/chart/sluice --namespace sluice-system --kube-version 1.35.0 "$@"
	} >"$out/$file.yaml"
}

out=$1
mkdir -p "$out"
render sluice
render sluice-repair '--set=repair.modes={repair,delete}'
for platform in gke k3s microk8s openshift bottlerocket; do
	render "sluice-$platform" "--set=platform=$platform"
done
