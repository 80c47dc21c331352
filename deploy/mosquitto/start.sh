#!/bin/sh
# Starts the broker in its container: the services' accounts as their secrets say now; accounts and rules in files that
# only the broker can read, as it wants them.
set -eu
umask 077
passwords=/mosquitto/data/passwords
touch "$passwords"
for user in svc-dispatcher:mqtt_dispatcher_password svc-ingest:mqtt_ingest_password admin:mqtt_admin_password; do
  mosquitto_passwd -b "$passwords" "${user%%:*}" "$(cat "/run/secrets/${user#*:}")"
done
cp /mosquitto/config/acl /tmp/acl
exec mosquitto -c /mosquitto/config/mosquitto.conf
