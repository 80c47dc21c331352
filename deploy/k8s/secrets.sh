#!/usr/bin/env bash
# Makes the secrets of an installation, one folder for each Kubernetes Secret and one file for each of its keys:
#   POSTGRES_DSN='postgresql://postgres:…@host:5432/iotcloud?sslmode=require' MQTT_CA=ca.crt deploy/k8s/secrets.sh deploy/k8s/overlays/small/secrets
# POSTGRES_DSN is that of the database's owner, who may make roles, or a superuser's; MQTT_CA the certificate of the authority that signed the broker's.
# A secret that is there stays; delete its file and run this again for a new one. Give the broker the two mqtt-password
# files (users svc-dispatcher and svc-ingest), the cluster the folders (docs/operations.md).
set -eu
folder=${1:?where to? deploy/k8s/secrets.sh FOLDER}
: "${POSTGRES_DSN:?the address of the database, with its owner or a superuser}" "${MQTT_CA:?the file of the certificate authority}"
umask 077
mkdir -p "$folder"/{setup,catalog-svc,campaign-svc,dispatcher-svc,status-ingest-svc,mqtt-ca}
here=$(cd "$folder" && pwd)

secret() { test -s "$here/$1" || od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "$here/$1"; }
login() { # FILE ROLE PASSWORD_FILE: the same database, as another role
  printf %s "$POSTGRES_DSN" | sed -E "s#//([^@/]*@)?#//$2:$(cat "$here/$3")@#" > "$here/$1"
}

for role in catalog campaign campaign-loops ingest; do secret "setup/$role-db-password"; done
secret dispatcher-svc/mqtt-password
secret status-ingest-svc/mqtt-password
secret status-ingest-svc/mqtt-group
printf %s "$POSTGRES_DSN" > "$here/setup/postgres-dsn"
login catalog-svc/postgres-dsn catalog_svc setup/catalog-db-password
login campaign-svc/postgres-dsn campaign_svc setup/campaign-db-password
login campaign-svc/loops-postgres-dsn campaign_loops setup/campaign-loops-db-password
login status-ingest-svc/postgres-dsn status_ingest_svc setup/ingest-db-password
cp "$MQTT_CA" "$here/mqtt-ca/ca.crt"
