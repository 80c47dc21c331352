#!/usr/bin/env bash
# Installs or upgrades: tables and topics first, then the services, each rolled out pod by pod. Again is harmless.
#   deploy/k8s/apply.sh deploy/k8s/overlays/small
set -eu
overlay=${1:?which one? deploy/k8s/apply.sh deploy/k8s/overlays/small}
wait=${WAIT:-15m}
manifests=$(mktemp)
trap 'rm -f "$manifests"' EXIT
kubectl kustomize "$overlay" > "$manifests"

kubectl -n pulse-ota delete job setup --ignore-not-found
kubectl apply -f "$manifests" -l pulse-ota/step=setup
# Whichever comes first: of a job's conditions the first says already whether it ends well or badly.
kubectl -n pulse-ota wait --for=jsonpath='{.status.conditions[0].status}'=True --timeout="$wait" job/setup > /dev/null || true
if ! kubectl -n pulse-ota wait --for=condition=complete --timeout=5s job/setup; then
  kubectl -n pulse-ota logs job/setup --tail=20 >&2 || true
  echo "the set-up job has not completed: nothing else was changed" >&2
  exit 1
fi
kubectl apply -f "$manifests"
kubectl -n pulse-ota rollout status deployment -l app.kubernetes.io/part-of=pulse-ota --timeout="$wait"
