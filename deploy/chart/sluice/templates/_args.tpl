{{- define "sluice.args" -}}
- run
- --host-root=/host
- --conf-dir={{ include "sluice.confDir" . }}
- --bin-dir={{ include "sluice.binDir" . }}
- --entry=/etc/sluice/entry.json
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
- --repair-label={{ $.Values.repair.label }}
{{- end }}
- --listen=:{{ .Values.port }}
- --log-level={{ .Values.logLevel }}
{{- end -}}
