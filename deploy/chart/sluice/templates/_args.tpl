{{- define "sluice.args" -}}
- run
- --node-name=$(NODE_NAME)
- --namespace={{ .Release.Namespace }}
- --uninstall-with=sluice-node
- --host-root=/host
- --mounted={{ include "sluice.confDir" . }},{{ include "sluice.binDir" . }}
- --conf-dir={{ include "sluice.confDir" . }}
- --bin-dir={{ include "sluice.binDir" . }}
- --plugin=/usr/local/bin/sluice-cni
- --plugin-config=@/etc/sluice/plugin.json
{{- with .Values.cni.confFile }}
- --conf-file={{ . }}
{{- end }}
{{- if .Values.cni.ownedConflist }}
- --owned-conflist
{{- end }}
{{- if include "sluice.multus" . }}
- --plugin-only
{{- end }}
{{- with .Values.repair.modes }}
- --repair={{ join "," . }}
- --validation-container={{ $.Values.repair.container }}
- --validation-exit-code={{ $.Values.repair.exitCode }}
{{- if has "repair" . }}
- --proc=/host/proc
{{- end }}
{{- if has "label" . }}
- --repair-label-key={{ $.Values.repair.labelKey }}
- --repair-label-value={{ $.Values.repair.labelValue }}
{{- end }}
{{- end }}
{{- with .Values.startupTaint }}
- --startup-taint={{ . }}
{{- end }}
- --http=:{{ .Values.port }}
- --log-level={{ .Values.logLevel }}
- --log-format={{ .Values.logFormat }}
{{- end -}}
