#!/bin/sh
# Makes what deploy/compose.yaml needs to start and nobody may know: passwords, the broker's certificates, the key of the
# development sign-in. Needs openssl and nothing else. What is there already stays, so it can be run again at any time; a
# password is changed by removing its file first. A broker's certificate that ends within 30 days is made anew.
#
#   MQTT_NAMES="mqtt.example.com 192.0.2.7" deploy/secrets.sh     names and addresses by which devices reach the broker
#
# The authority that signs this certificate is exchanged in three steps; docs/operations.md says what lies between them:
#   deploy/secrets.sh next-authority          a new one is trusted, too
#   deploy/secrets.sh use-next-authority      it signs the broker's certificate
#   deploy/secrets.sh drop-old-authority      the old one is trusted no more
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets files && chmod 755 files && cd secrets

password() { # FILE...: 24 random bytes each, as text that needs no quoting anywhere
  for file in "$@"; do [ -s "$file" ] || openssl rand -hex 24 | tr -d '\n' > "$file"; done
}
fail() { echo "secrets.sh: $1" >&2; exit 1; }
quietly() { said=$("$@" 2>&1) || fail "$said"; } # COMMAND
dsn() { # FILE USER PASSWORD_FILE
  printf 'postgresql://%s:%s@postgres:5432/iotcloud' "$2" "$(cat "$3")" > "$1.new" && mv -f "$1.new" "$1"
}

password postgres_password catalog_db_password campaign_db_password campaign_loops_db_password ingest_db_password \
  mqtt_dispatcher_password mqtt_ingest_password mqtt_admin_password mqtt_observer_password mqtt_group auth_key \
  grafana_password
dsn postgres_dsn iot postgres_password
dsn catalog_dsn catalog_svc catalog_db_password
dsn campaign_dsn campaign_svc campaign_db_password
dsn campaign_loops_dsn campaign_loops campaign_loops_db_password
dsn ingest_dsn status_ingest_svc ingest_db_password

curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256"
authority() { # NAME: its key stays here, no container gets it; a name of its own, so that no client takes old for new
  # shellcheck disable=SC2086  # options are words
  quietly openssl req -x509 $curve -days 3650 -subj "/CN=Pulse OTA devices' broker CA $(openssl rand -hex 4)" \
    -keyout "$1.key" -out "$1.crt" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}
put() { cat > "$1.new" && cat "$1.new" > "$1" && rm -f "$1.new"; } # FILE: the same file as before, since containers have it
[ -s mqtt_ca.crt ] || { authority mqtt_ca && put mqtt.crt < /dev/null; }
case "${1:-}" in
  "") ;;
  next-authority)
    [ ! -e next_ca.crt ] || fail "there is a next authority already"
    authority next_ca && cat mqtt_ca.crt next_ca.crt | put mqtt_ca.crt ;;
  use-next-authority)
    [ -s next_ca.crt ] || fail "there is no next authority"
    { cat next_ca.crt && openssl x509 -in mqtt_ca.crt; } | put mqtt_ca.crt
    mv -f next_ca.key mqtt_ca.key && rm -f next_ca.crt && put mqtt.crt < /dev/null ;;
  drop-old-authority) # the first signs, the others are only trusted
    [ ! -e next_ca.crt ] || fail "the old authority still signs"
    openssl x509 -in mqtt_ca.crt | put mqtt_ca.crt ;;
  *) fail "what is $1?" ;;
esac

names="DNS:mosquitto,DNS:localhost,IP:127.0.0.1"
for name in ${MQTT_NAMES:-$(cat mqtt_names 2>/dev/null || true)}; do
  case "$name" in *[!0-9.]*) names="$names,DNS:$name" ;; *) names="$names,IP:$name" ;; esac
done
[ -z "${MQTT_NAMES:-}" ] || [ "$MQTT_NAMES" = "$(cat mqtt_names 2>/dev/null || true)" ] || put mqtt.crt < /dev/null
[ -z "${MQTT_NAMES:-}" ] || { rm -f mqtt_names; printf "%s" "$MQTT_NAMES" > mqtt_names; }
if ! openssl x509 -in mqtt.crt -noout -checkend 2592000 >/dev/null 2>&1; then
  printf '%s\n' "subjectAltName=$names" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
    extendedKeyUsage=serverAuth subjectKeyIdentifier=hash authorityKeyIdentifier=keyid > mqtt.ext
  # shellcheck disable=SC2086
  quietly openssl req $curve -subj "/CN=mosquitto" -keyout made.key -out made.csr
  quietly openssl x509 -req -in made.csr -CA mqtt_ca.crt -CAkey mqtt_ca.key -CAcreateserial -days 397 -sha256 \
    -extfile mqtt.ext -out made.crt
  put mqtt.key < made.key && put mqtt.crt < made.crt
  rm -f made.* mqtt.ext
  echo "made a certificate for the broker: $names"
fi

# A container sees a file with the owner and mode that it has here, and runs as another user: so files are readable, in a
# folder that is not.
chmod 644 ./* && chmod 600 ./*_ca.key
echo "secrets are in $(pwd); devices need mqtt_ca.crt"
