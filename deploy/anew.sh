#!/bin/sh
# Replaces the containers of services by new ones: for another version (TAG), or a secret that has changed. As many as there
# are start beside the old ones, which end once the new ones are healthy. Should these not be within two minutes (WAIT, in
# seconds), they go, after their last words, and the old ones go on.
#
#   deploy/anew.sh catalog-svc campaign-svc dispatcher-svc status-ingest-svc
set -eu
cd "$(dirname "$0")"

healthy() { # CONTAINER...
  for container in "$@"; do
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$container")" = healthy ] || return 1
  done
}

# shellcheck disable=SC2086  # containers are words
for service in "$@"; do
  old=$(docker compose ps -aq "$service")
  [ -n "$old" ] || { echo "anew.sh: there is no $service" >&2; exit 1; }
  both=$((2 * $(echo "$old" | wc -l)))
  docker compose up -d --no-deps --no-recreate --scale "$service=$both" "$service"
  new=$(docker compose ps -aq "$service" | grep -vxF "$old")
  seconds=0
  until healthy $new; do # not --wait: old ones whose password is no longer good are not healthy either
    if [ $((seconds += 1)) -gt "${WAIT:-120}" ]; then
      for container in $new; do docker logs --tail 10 "$container" >&2; done
      docker rm -f $new
      echo "anew.sh: the new $service is not healthy and gone; the old one goes on" >&2
      exit 1
    fi
    sleep 1
  done
  docker stop $old && docker rm $old
done
