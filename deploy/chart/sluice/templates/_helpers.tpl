{{/* The preset of the platform, as an object. */}}
{{- define "sluice.preset" -}}
{{- if .Values.platform -}}
{{- $file := printf "presets/%s.yaml" .Values.platform -}}
{{- .Files.Get $file | required (printf "no preset %s" $file) -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{- define "sluice.confDir" -}}
{{- $p := include "sluice.preset" . | fromYaml -}}
{{- coalesce .Values.cni.confDir $p.confDir "/etc/cni/net.d" -}}
{{- end -}}

{{- define "sluice.binDir" -}}
{{- $p := include "sluice.preset" . | fromYaml -}}
{{- coalesce .Values.cni.binDir $p.binDir "/opt/cni/bin" -}}
{{- end -}}

{{/* A switch that is unset falls back to the preset's. "true" or "". */}}
{{- define "sluice.multus" -}}
{{- $p := include "sluice.preset" . | fromYaml -}}
{{- if kindIs "invalid" .Values.cni.multus }}{{ if $p.multus }}true{{ end }}{{ else if .Values.cni.multus }}true{{ end -}}
{{- end -}}

{{- define "sluice.resourceQuota" -}}
{{- $p := include "sluice.preset" . | fromYaml -}}
{{- if kindIs "invalid" .Values.resourceQuota }}{{ if $p.resourceQuota }}true{{ end }}{{ else if .Values.resourceQuota }}true{{ end -}}
{{- end -}}

{{- define "sluice.seLinux" -}}
{{- $p := include "sluice.preset" . | fromYaml -}}
{{- coalesce .Values.seLinuxOptions $p.seLinuxOptions dict | toYaml -}}
{{- end -}}

{{- define "sluice.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "sluice.labels" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: node
{{- end -}}

{{/* The plugin's settings; the agent adds what it knows itself. */}}
{{- define "sluice.plugin" -}}
{{- $c := .Values.cni -}}
{{- $namespaces := concat (list "kube-system" .Release.Namespace) $c.excludeNamespaces | uniq -}}
{{- $entry := dict
  "exclude_namespaces" $namespaces
  "agent_required" $c.agentRequired
  "log_level" $c.logLevel
  "timeout" $c.timeout
  "backend" $c.backend
  "ip_families" $c.ipFamilies -}}
{{- if $c.strict }}{{ $_ := set $entry "strict" true }}{{ end -}}
{{- if $c.ports }}{{ $_ := set $entry "ports" $c.ports }}{{ end -}}
{{- $entry | toPrettyJson -}}
{{- end -}}

{{/* The capabilities that the enabled features need: writing the host's files
     as their owner takes none; entering a pod's namespace and programming it
     takes these. */}}
{{- define "sluice.capabilities" -}}
{{- if has "repair" .Values.repair.modes }}
{{- if has .Values.cni.backend (list "iptables" "iptables-legacy") -}}
[NET_ADMIN, NET_RAW, SYS_ADMIN, SYS_PTRACE]
{{- else -}}
[NET_ADMIN, SYS_ADMIN, SYS_PTRACE]
{{- end }}
{{- end }}
{{- end -}}
