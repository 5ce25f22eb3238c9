{{- define "simstream.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "simstream.natsName" -}}{{ include "simstream.name" . }}-nats{{- end -}}

{{- define "simstream.secretName" -}}
{{- .Values.secret.existing | default (include "simstream.name" .) -}}
{{- end -}}

{{- define "simstream.natsSecretName" -}}
{{- .Values.nats.existingSecret | default (include "simstream.natsName" .) -}}
{{- end -}}

{{/* What identifies the pods of a component. Arguments: context, component. */}}
{{- define "simstream.selector" -}}
app.kubernetes.io/name: {{ .context.Chart.Name }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "simstream.labels" -}}
{{ include "simstream.selector" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ .context.Chart.Name }}-{{ .context.Chart.Version }}
{{- end -}}

{{/* One URL a server, with a stable name each. Arguments: context, user, port; the password is the variable PASSWORD. */}}
{{- define "simstream.natsUrls" -}}
{{- $name := include "simstream.natsName" .context -}}
{{- $urls := list -}}
{{- range $server := until (int .context.Values.nats.replicas) -}}
{{- $urls = append $urls (printf "nats://%s:$(PASSWORD)@%s-%d.%s:%d" $.user $name $server $name (int $.port)) -}}
{{- end -}}
{{- toJson $urls -}}
{{- end -}}

{{- define "simstream.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "simstream.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}
