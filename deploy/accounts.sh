#!/bin/sh
# Gives devices accounts at the broker of deploy/compose.yaml, which must be up. Reads the CSV file that the API imports
# (device_id,device_type,current_version in this order, separated by commas, semicolons or tabs), and prints a JSON line with the new password for each device, as the simulator
# takes them:
#
#   deploy/accounts.sh acme < devices.csv > secrets/fleet.jsonl
set -eu
tenant=${1:?whose devices? accounts.sh TENANT < devices.csv}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

tr -d '\r' | LC_ALL=C awk '
  NR == 1 { sub(/^\357\273\277/, ""); FS = match($0, /[,;\t]/) ? substr($0, RSTART, 1) : ","; next }
  /[^ \t]/ { print $1 "\t" $2 "\t" $3 }' > "$work/devices"
! grep -q '["\\]' "$work/devices" && ! cut -f1 "$work/devices" | grep -q '[/+#:]' || {
  echo 'accounts.sh: quotes and \ and in ids / + # : are not possible here' >&2
  exit 1
}
openssl rand -hex $((16 * $(wc -l < "$work/devices"))) | tr -d '\n' | fold -w 32 > "$work/passwords"
echo >> "$work/passwords"
paste "$work/devices" "$work/passwords" | awk -F'\t' -v tenant="$tenant" -v accounts="$work/accounts" '{
  print tenant "/device/" $1 ":" $NF > accounts
  printf "{\"tenant_id\":\"%s\",\"device_id\":\"%s\",\"password\":\"%s\",\"device_type\":\"%s\",\"version\":\"%s\"}\n",
    tenant, $1, $NF, $2, $3
}'
docker compose --project-directory "$here" -f "$here/compose.yaml" exec -T mosquitto \
  sh /mosquitto/config/add-accounts.sh < "$work/accounts" >&2
