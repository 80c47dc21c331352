#!/bin/sh
# Starts the broker in its container: the services' accounts as their secrets say now; accounts and rules in files that
# only the broker can read, as it wants them.
set -eu
umask 077
passwords=/mosquitto/data/passwords
( # one writer at a time
  flock 9
  touch "$passwords"
  for user in svc-dispatcher:mqtt_dispatcher_password svc-ingest:mqtt_ingest_password admin:mqtt_admin_password; do
    mosquitto_passwd -b "$passwords" "${user%%:*}" "$(cat "/run/secrets/${user#*:}")"
  done
) 9> /mosquitto/data/.passwords.lock
# What ends accounts of deleted devices is another container, which cannot signal the broker: so it is looked for here.
(
  read=$(stat -c '%i %Y %s' "$passwords")
  while sleep 1; do
    now=$(stat -c '%i %Y %s' "$passwords") || continue
    [ "$now" = "$read" ] || { read=$now; kill -HUP $$; }
  done
) &
cp /mosquitto/config/acl /tmp/acl
exec mosquitto -c /mosquitto/config/mosquitto.conf
