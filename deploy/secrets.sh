#!/bin/sh
# Makes what deploy/compose.yaml needs to start and nobody may know: passwords, the broker's certificates, the key of the
# development sign-in. Needs openssl and nothing else. What is there already stays, so it can be run again at any time; a
# password is changed by removing its file first. A broker's certificate that ends within 30 days is made anew.
#
#   MQTT_NAMES="mqtt.example.com 192.0.2.7" deploy/secrets.sh     names and addresses by which devices reach the broker
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets files && chmod 755 files && cd secrets

password() { # FILE...: 24 random bytes each, as text that needs no quoting anywhere
  for file in "$@"; do [ -s "$file" ] || openssl rand -hex 24 | tr -d '\n' > "$file"; done
}
quietly() { # COMMAND: what it says is shown when it fails
  said=$("$@" 2>&1) || { echo "$said" >&2; exit 1; }
}
dsn() { # FILE USER PASSWORD_FILE
  printf 'postgresql://%s:%s@postgres:5432/iotcloud' "$2" "$(cat "$3")" > "$1.new" && mv -f "$1.new" "$1"
}

password postgres_password catalog_db_password campaign_db_password campaign_loops_db_password ingest_db_password \
  mqtt_dispatcher_password mqtt_ingest_password mqtt_admin_password mqtt_group auth_key grafana_password
dsn postgres_dsn iot postgres_password
dsn catalog_dsn catalog_svc catalog_db_password
dsn campaign_dsn campaign_svc campaign_db_password
dsn campaign_loops_dsn campaign_loops campaign_loops_db_password
dsn ingest_dsn status_ingest_svc ingest_db_password

curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256"
if [ ! -s mqtt_ca.crt ]; then # its key stays here: no container gets it
  # shellcheck disable=SC2086  # options are words
  quietly openssl req -x509 $curve -days 3650 -subj "/CN=Pulse OTA devices' broker CA" -keyout mqtt_ca.key -out mqtt_ca.crt \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
  rm -f mqtt.crt
fi

names="DNS:mosquitto,DNS:localhost,IP:127.0.0.1"
for name in ${MQTT_NAMES:-$(cat mqtt_names 2>/dev/null || true)}; do
  case "$name" in *[!0-9.]*) names="$names,DNS:$name" ;; *) names="$names,IP:$name" ;; esac
done
[ -z "${MQTT_NAMES:-}" ] || [ "$MQTT_NAMES" = "$(cat mqtt_names 2>/dev/null || true)" ] || rm -f mqtt.crt
[ -z "${MQTT_NAMES:-}" ] || { rm -f mqtt_names; printf "%s" "$MQTT_NAMES" > mqtt_names; }
if ! openssl x509 -in mqtt.crt -noout -checkend 2592000 >/dev/null 2>&1; then
  printf '%s\n' "subjectAltName=$names" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
    extendedKeyUsage=serverAuth subjectKeyIdentifier=hash authorityKeyIdentifier=keyid > mqtt.ext
  rm -f mqtt.key mqtt.crt
  # shellcheck disable=SC2086
  quietly openssl req $curve -subj "/CN=mosquitto" -keyout mqtt.key -out mqtt.csr
  quietly openssl x509 -req -in mqtt.csr -CA mqtt_ca.crt -CAkey mqtt_ca.key -CAcreateserial -days 397 -sha256 \
    -extfile mqtt.ext -out mqtt.crt
  rm -f mqtt.csr mqtt.ext
  echo "made a certificate for the broker: $names"
fi

# A container sees a file with the owner and mode that it has here, and runs as another user: so files are readable, in a
# folder that is not.
chmod 644 ./* && chmod 600 mqtt_ca.key
echo "secrets are in $(pwd); devices need mqtt_ca.crt"
