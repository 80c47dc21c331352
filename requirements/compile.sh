#!/usr/bin/env bash
# Writes the hashed locks again: run it after a change of any pyproject.toml or *.in (needs `pip install uv`).
set -eu
cd "$(dirname "$0")/.."
own=$(for p in shared catalog-svc campaign-svc dispatcher-svc status-ingest-svc deploy/fleetsim deploy/setup deploy/local; do sed -n 's/^name = "\(.*\)"/--no-emit-package \1/p' $p/pyproject.toml; done)
overrides=$(mktemp --suffix=.txt); trap 'rm -f "$overrides"' EXIT
{ echo "pulse-ota-shared @ file://$PWD/shared"; echo "pulse-ota-setup @ file://$PWD/deploy/setup"; } > "$overrides"
compile() { uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate $own --override "$overrides" "$@"; }

compile --python-version 3.11 --extra auth --extra db --extra kafka --extra mqtt --extra traces \
  shared/pyproject.toml catalog-svc/pyproject.toml campaign-svc/pyproject.toml dispatcher-svc/pyproject.toml \
  status-ingest-svc/pyproject.toml deploy/fleetsim/pyproject.toml deploy/setup/pyproject.toml deploy/local/pyproject.toml requirements/dev.in -o requirements/dev.txt

# One for each image, of the Python that it has; the versions are those that everything is tested with.
image() { compile --python-version 3.13 --constraint requirements/dev.txt "${@:2}" -o "requirements/$1.txt"; }
image catalog-svc --extra auth --extra db --extra traces shared/pyproject.toml catalog-svc/pyproject.toml
image campaign-svc --extra auth --extra db --extra kafka --extra traces shared/pyproject.toml campaign-svc/pyproject.toml
image dispatcher-svc --extra kafka --extra mqtt --extra traces shared/pyproject.toml dispatcher-svc/pyproject.toml
image status-ingest-svc --extra db --extra kafka --extra mqtt --extra traces shared/pyproject.toml status-ingest-svc/pyproject.toml
image setup --extra db --extra kafka shared/pyproject.toml deploy/setup/pyproject.toml
image sign-in --extra auth shared/pyproject.toml
image fleetsim --extra mqtt shared/pyproject.toml deploy/fleetsim/pyproject.toml
compile --python-version 3.11 requirements/compose.in -o requirements/compose.txt
