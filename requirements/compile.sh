#!/usr/bin/env bash
# Writes the hashed lock again: run it after a change of any pyproject.toml or dev.in (needs `pip install uv`).
set -eu
cd "$(dirname "$0")/.."
own=$(for p in shared catalog-svc campaign-svc dispatcher-svc status-ingest-svc deploy/fleetsim deploy/setup deploy/local; do sed -n 's/^name = "\(.*\)"/--no-emit-package \1/p' $p/pyproject.toml; done)
overrides=$(mktemp --suffix=.txt); trap 'rm -f "$overrides"' EXIT
{ echo "pulse-ota-shared @ file://$PWD/shared"; echo "pulse-ota-setup @ file://$PWD/deploy/setup"; } > "$overrides"
uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate $own \
  --override "$overrides" --extra auth --extra db --extra kafka --extra mqtt \
  shared/pyproject.toml catalog-svc/pyproject.toml campaign-svc/pyproject.toml dispatcher-svc/pyproject.toml \
  status-ingest-svc/pyproject.toml deploy/fleetsim/pyproject.toml deploy/setup/pyproject.toml deploy/local/pyproject.toml requirements/dev.in -o requirements/dev.txt
