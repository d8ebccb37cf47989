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
{{- if $c.logFile }}{{ $_ := set $entry "log_file" $c.logFile }}{{ end -}}
{{- $entry | toPrettyJson -}}
{{- end -}}

{{/* The capabilities that the enabled features need. Always: some hosts keep
     the folders of network plugins, or files in them, with another owner than
     root (kubespray: uid 998), who is kept. Entering a pod's namespace and
     programming it takes the others. */}}
{{- define "sluice.capabilities" -}}
{{- if has "repair" .Values.repair.modes -}}
[CHOWN, DAC_OVERRIDE, NET_ADMIN, SYS_ADMIN, SYS_PTRACE]
{{- else -}}
[CHOWN, DAC_OVERRIDE]
{{- end }}
{{- end -}}

{{/* Values that exclude each other, which the schema cannot say. */}}
{{- define "sluice.checks" -}}
{{- if and .Values.cni.ownedConflist (include "sluice.multus" .) -}}
{{- fail "cni.ownedConflist puts a list in front of the primary plugin's, and through Multus nothing is chained: unset cni.ownedConflist, or set cni.multus=false" -}}
{{- end -}}
{{- if and (has "repair" .Values.repair.modes) (hasPrefix "iptables" .Values.cni.backend) -}}
{{- fail (printf "repair.modes has repair, which the agent does with nf_tables alone (its image has no iptables programs), and cni.backend is %s: set cni.backend to auto or nftables, or repair.modes to {delete}" .Values.cni.backend) -}}
{{- end -}}
{{- $ports := mergeOverwrite (dict "outbound" 15001 "inbound" 15006 "tunnel" 15008) .Values.cni.ports -}}
{{- $numbers := list (toString $ports.outbound) (toString $ports.inbound) (toString $ports.tunnel) -}}
{{- if ne (len (uniq $numbers)) 3 -}}
{{- fail (printf "cni.ports: outbound, inbound and tunnel have to differ, and are %s" (join ", " $numbers)) -}}
{{- end -}}
{{- end -}}
