#!/usr/bin/env bash
# Kinds by kubectl 1.27 and 1.32 (JSON and protobuf bodies) against one master without nodes: what is created by name and by
# manifest, columns, versions of one kind with their warnings, scale, explain, and how the control plane's parts are told. Needs no root.
. "$(dirname "$0")/lib.sh"
step "up"
out=$(keelson up --masters 1 --nodes 0 2>&1) || fail "keelson up: $out"
until_true 20 "the api" kubectl get namespace default
old_kubectl() { "$(dirname "$kubectl_program")/kubectl.1.27" "$@"; }

step "created by name"
for program in kubectl old_kubectl; do
    ns=${program//_/-}
    kubectl create namespace "$ns" >/dev/null || fail "namespace"
    $program -n "$ns" create job j --image=x:1 >/dev/null || fail "$program create job"
    $program -n "$ns" create cronjob c --image=x:1 --schedule='*/5 * * * *' >/dev/null || fail "$program create cronjob"
    $program -n "$ns" create quota q --hard=pods=10,limits.cpu=4 >/dev/null || fail "$program create quota"
    $program -n "$ns" create pdb b --selector=app=web --min-available=50% >/dev/null || fail "$program create pdb"
    $program -n "$ns" create deployment web --image=x:1 >/dev/null || fail "$program create deployment"
    $program -n "$ns" autoscale deployment web --min=2 --max=5 --cpu-percent=70 >/dev/null || fail "$program autoscale"
    $program -n "$ns" create job from-cron --from=cronjob/c >/dev/null || fail "$program create job --from"
    expect "$program: a job's labels" '^j$' "$($program -n "$ns" get job j -o 'jsonpath={.spec.template.metadata.labels.batch\.kubernetes\.io/job-name}')"
done
expect "a cron job's row" '^c +\*/5 \* \* \* \* +<none> +False +0 +<none> ' "$(kubectl -n kubectl get cronjob --no-headers)"
expect "a budget's row" '^b +50% +N/A +0 ' "$(kubectl -n kubectl get pdb --no-headers)"
expect "a job's row" '^j +Running +0/1 ' "$(kubectl -n kubectl get job j --no-headers)"
expect "an autoscaler's row" '^web +Deployment/web +cpu: <unknown>/70% +2 +5 +0 ' "$(kubectl -n kubectl get hpa --no-headers)"
expect "all of them" 'cronjob.batch/c' "$(kubectl -n kubectl get all 2>&1)"

step "by manifest"
cat >"$work/kinds.yaml" <<'YAML'
apiVersion: v1
kind: PersistentVolume
metadata: {name: v}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: slow
  hostPath: {path: /tmp/v}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: c, namespace: default}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 500Mi}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: l, namespace: default}
spec:
  limits: [{type: PersistentVolumeClaim, max: {storage: 10Gi}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s, namespace: default}
spec:
  serviceName: s
  replicas: 0
  selector: {matchLabels: {app: s}}
  template:
    metadata: {labels: {app: s}}
    spec: {containers: [{name: a, image: "x:1"}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: d, namespace: default}
spec:
  selector: {matchLabels: {app: d}}
  template:
    metadata: {labels: {app: d}}
    spec: {containers: [{name: a, image: "x:1"}]}
YAML
kubectl apply -f "$work/kinds.yaml" >/dev/null || fail "apply"
out=$(kubectl apply -f "$work/kinds.yaml" 2>&1)
expect "applied again" '^statefulset.apps/s unchanged$' "$out"
refuse "nothing changes" 'configured|created|error' "$out"
kubectl diff -f "$work/kinds.yaml" || fail "kubectl diff sees what is not there"
expect "a volume's row" '^v +1Gi +RWO +Retain +(Pending|Available) +slow +<unset> ' "$(kubectl get pv --no-headers | tr -s ' ')"
expect "a claim's row" '^c +Pending ' "$(kubectl get pvc --no-headers)"
expect "a daemon set's row" '^d +0 +0 +0 +0 +0 +<none> ' "$(kubectl get ds --no-headers)"
kubectl scale statefulset s --replicas=2 >/dev/null || fail "scale"
expect "a stateful set's row" '^s +0/2 ' "$(kubectl get sts --no-headers)"
expect "what must not change" 'updates to statefulset spec for fields other than' "$(kubectl patch sts s -p '{"spec":{"serviceName":"t"}}' 2>&1)"

step "versions"
out=$(kubectl apply -f - 2>&1 <<'YAML'
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: old, namespace: default}
spec:
  schedule: "@daily"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "x:1"}]}}}}
YAML
)
expect "a deprecated version" 'Warning: batch/v1beta1 CronJob is deprecated in v1.21\+, unavailable in v1.25\+; use batch/v1 CronJob' "$out"
expect "is created" 'cronjob.batch/old created' "$out"
expect "the preferred version" '^batch/v1$' "$(kubectl get cronjob old -o 'jsonpath={.apiVersion}')"
expect "an autoscaler of v1" '^70$' "$(kubectl -n kubectl get horizontalpodautoscalers.v1.autoscaling web -o 'jsonpath={.spec.targetCPUUtilizationPercentage}' 2>&1)"
kubectl -n kubectl patch horizontalpodautoscalers.v2.autoscaling web --type=merge -p '{"spec":{"behavior":{"scaleDown":{"selectPolicy":"Disabled"}}}}' >/dev/null || fail "patch v2"
kubectl -n kubectl patch horizontalpodautoscalers.v1.autoscaling web -p '{"spec":{"maxReplicas":9}}' >/dev/null || fail "patch v1"
expect "what v1 lacks survives it" '^9 Disabled$' "$(kubectl -n kubectl get hpa web -o 'jsonpath={.spec.maxReplicas} {.spec.behavior.scaleDown.selectPolicy}')"
expect "explained" 'maxReplicas' "$(kubectl explain hpa.spec 2>&1)"
expect "explained by version" 'targetCPUUtilizationPercentage' "$(kubectl explain hpa.spec --api-version=autoscaling/v1 2>&1)"
expect "explained as deprecated" 'timeZone' "$(kubectl explain cronjob.spec --api-version=batch/v1beta1 2>&1)"

step "what goes with its namespace, and by itself"
kubectl create namespace leaving >/dev/null || fail "namespace"
kubectl create job j -n leaving --image=x:1 >/dev/null && kubectl create cronjob c -n leaving --image=x:1 --schedule='0 0 1 1 *' >/dev/null &&
    kubectl create poddisruptionbudget b -n leaving --selector=a=b --min-available=1 >/dev/null &&
    kubectl create quota q -n leaving --hard=pods=1000 >/dev/null && kubectl create ingress i -n leaving --rule=a.b/=s:80 >/dev/null || fail "content"
kubectl delete --raw /apis/batch/v1/namespaces/leaving/jobs/j >/dev/null || fail "delete the job" # leaves its pods, by a finalizer
until_true 20 "the job's finalizer is carried out" bash -c "! '$kubectl_program' get job j -n leaving"
out=$(timeout 60 "$kubectl_program" delete namespace leaving 2>&1) || fail "delete the namespace: $out"
kubectl create namespace leaving >/dev/null || fail "namespace again"
out=$(kubectl get cronjobs,poddisruptionbudgets,resourcequotas,ingresses,jobs -n leaving -o name)
[ -z "$out" ] || fail "left behind by a namespace: $out"

step "the control plane"
healthy() { [ "$(kubectl get cs --no-headers 2>/dev/null | grep -cE ' Healthy ')" = 3 ]; }
until_true 20 "all parts are well" healthy
out=$(kubectl get cs 2>&1)
expect "deprecated, as it is" 'Warning: v1 ComponentStatus is deprecated in v1.19\+' "$out"
expect "scheduler" '^scheduler +Healthy +ok' "$out"
expect "controllers" '^controller-manager +Healthy +ok' "$out"
expect "a member of the store" '^etcd-0 +Healthy +\{"health":"true"\}' "$out"
echo "kinds: all of it holds"
