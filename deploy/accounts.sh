#!/bin/sh
# Gives devices accounts at the broker of deploy/compose.yaml, which must be up. Reads the CSV file that the API imports
# (device_id,device_type,current_version), and prints a JSON line with the new password for each device, as the simulator
# takes them:
#
#   deploy/accounts.sh acme < devices.csv > secrets/fleet.jsonl
set -eu
tenant=${1:?whose devices? accounts.sh TENANT < devices.csv}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

tr -d '\r' | awk 'NR > 1 && NF' > "$work/devices"
! grep -q '["/+#:]' "$work/devices" || { echo 'accounts.sh: quotes and / + # : are not possible here' >&2; exit 1; }
openssl rand -hex $((16 * $(wc -l < "$work/devices"))) | tr -d '\n' | fold -w 32 > "$work/passwords"
echo >> "$work/passwords"
paste -d, "$work/devices" "$work/passwords" | awk -F, -v tenant="$tenant" -v accounts="$work/accounts" '{
  print tenant "/device/" $1 ":" $NF > accounts
  printf "{\"tenant_id\":\"%s\",\"device_id\":\"%s\",\"password\":\"%s\",\"device_type\":\"%s\",\"version\":\"%s\"}\n",
    tenant, $1, $NF, $2, $3
}'
docker compose --project-directory "$here" -f "$here/compose.yaml" exec -T mosquitto \
  sh /mosquitto/config/add-accounts.sh < "$work/accounts" >&2
