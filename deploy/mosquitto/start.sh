#!/bin/sh
# Starts the broker in its container: the services' accounts as their secrets say now; accounts and rules in files that
# only the broker can read, as it wants them.
set -eu
umask 077
passwords=/mosquitto/data/passwords
( # one writer at a time
  flock 9
  touch "$passwords"
  for user in svc-dispatcher:mqtt_dispatcher_password svc-ingest:mqtt_ingest_password admin:mqtt_admin_password \
    observer:mqtt_observer_password; do
    mosquitto_passwd -b "$passwords" "${user%%:*}" "$(cat "/run/secrets/${user#*:}")"
  done
) 9> /mosquitto/data/.passwords.lock
cp /mosquitto/config/acl /mosquitto/config/observers.json /tmp/
cat /mosquitto/config/mosquitto.conf > /tmp/mosquitto.conf

# What looks at who subscribes, as an ACL file does not. Without it nobody may observe: see observers.json.
for plugin in /usr/lib/mosquitto_dynamic_security.so /usr/lib/*/mosquitto_dynamic_security.so; do
  [ ! -e "$plugin" ] || break
done
if [ -e "$plugin" ]; then
  printf 'plugin %s\nplugin_opt_config_file /tmp/observers.json\n' "$plugin" >> /tmp/mosquitto.conf
else
  echo "start.sh: no mosquitto_dynamic_security.so in this image, so there is no account for observers" >&2
  mosquitto_passwd -D "$passwords" observer
fi

# What ends accounts of deleted devices is another container, which cannot signal the broker: so it is looked for here.
(
  read=$(stat -c '%i %Y %s' "$passwords")
  while sleep 1; do
    now=$(stat -c '%i %Y %s' "$passwords") || continue
    [ "$now" = "$read" ] || { read=$now; kill -HUP $$; }
  done
) &
exec mosquitto -c /tmp/mosquitto.conf
