{{/* The name that all objects of a release carry: live-update for a release of that name, RELEASE-live-update otherwise. */}}
{{- define "live-update.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "live-update.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "live-update.labels" -}}
{{ include "live-update.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: live-update
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "live-update.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "live-update.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "live-update.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{/* Something unless the value says `enabled: false`: a release that was made before the value is on. */}}
{{- define "live-update.enabled" -}}
{{- if ne (dig "enabled" true (default dict .) | toString) "false" }}yes{{ end -}}
{{- end -}}

{{/* Better no release than one whose policies are not there. Only a real cluster tells all that it knows (v1/Pod, say). */}}
{{- define "live-update.needsPolicies" -}}
{{- $known := .root.Capabilities.APIVersions -}}
{{- if and ($known.Has "v1/Pod") (not ($known.Has "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy")) -}}
{{- fail (printf "this cluster (Kubernetes %s) has no ValidatingAdmissionPolicies, which come with 1.30, so what %s forbids would be allowed: upgrade it, or say --set %s.enabled=false if everybody in it may do that" .root.Capabilities.KubeVersion.Version .value .value) -}}
{{- end -}}
{{- end -}}

{{/* none, careful or all. true and false are of earlier releases; what true gave to all has become a choice. */}}
{{- define "live-update.aggregate" -}}
{{- $value := .Values.roles.aggregate | toString -}}
{{- if eq $value "false" }}none{{ else if has $value (list "none" "all") }}{{ $value }}{{ else }}careful{{ end -}}
{{- end -}}

{{/* What the operator does, as rights. Bound in all namespaces, or in those of watchNamespaces. */}}
{{- define "live-update.operatorRules" -}}
# The objects it works for.
- apiGroups: [liveupdate.dev]
  resources: [liveupdates]
  verbs: [get, list, watch]
- apiGroups: [liveupdate.dev]
  resources: [changesets]
  verbs: [get, list, watch, create, delete]
- apiGroups: [liveupdate.dev]
  resources: [liveupdates/status, changesets/status]
  verbs: [patch]
# Finding the containers, and working in them. An exec over WebSocket is a GET; some versions ask for create as well.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/exec]
  verbs: [get, create]
{{- if .Values.ephemeralContainers.enabled }}
- apiGroups: [""]
  resources: [pods/ephemeralcontainers]
  verbs: [patch]
{{- end }}
- apiGroups: [apps]
  resources: [deployments, replicasets, statefulsets, daemonsets]
  verbs: [get, list, watch]
# Between a CronJob and its pods.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch]
# Redeploying: a rollout restart, and the deletion of a pod that nothing rolls out.
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}
