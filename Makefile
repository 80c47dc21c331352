# Every target does its own set-up. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
PACKAGES := shared catalog-svc campaign-svc dispatcher-svc status-ingest-svc deploy/fleetsim deploy/setup deploy/local
BIN := .venv/bin

.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*\#\# .*/\1/p' $(MAKEFILE_LIST))
STACK := $(BIN)/python -m local_stack
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 16

venv: .venv/.ready ## the virtual environment, from the hashed lock
.venv/.ready: requirements/dev.txt $(PACKAGES:%=%/pyproject.toml)
	@echo "preparing .venv (about half a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation $(PACKAGES:%=-e ./%)
	@touch $@

check: venv ## ruff and mypy strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy $(PACKAGES) deploy/monitoring/pulse_dashboards tests

format: venv ## ruff format and its safe fixes
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

openapi: venv ## write the services' OpenAPI to deploy/openapi, the messages' AsyncAPI to deploy/asyncapi
	@$(BIN)/python deploy/openapi/export.py
	@$(BIN)/python deploy/asyncapi/export.py

dashboards: venv ## write Grafana's dashboards to deploy/monitoring/grafana/dashboards
	@PYTHONPATH=deploy/monitoring $(BIN)/python -m pulse_dashboards

pictures: prepare ## draw the dashboards for the docs from a run of some minutes
	@$(BIN)/python -m tests.monitoring.pictures

prepare: venv ## fetch Mosquitto, Kafka and PostgreSQL 15 (for the tests) where they are missing, build the web console
	@$(STACK) prepare

demo: venv ## a whole campaign on simulated devices, live; DEVICES=500 RATE=1200 (a minute) FAIL=0.03 STRATEGY=canary RAMP=10,0.5 KEEP=1
	@$(BIN)/python -m local_stack.demo

watch: venv ## a campaign live in the terminal: CAMPAIGN=7 TENANT=demo; elsewhere: URL=https://… TOKEN=… CAMPAIGN=7
	@$(STACK) watch $(or $(CAMPAIGN),$(error which one? make watch CAMPAIGN=7)) --tenant "$(or $(TENANT),demo)" $(if $(URL),--url "$(URL)") $(if $(FOREVER),--forever)

up: venv ## the whole stack, in the background; DISPATCHERS=3 INGESTS=2 CAMPAIGNS=2 CATALOGS=2 KAFKAS=3 for more processes; PORT_OFFSET=100 shifts the ports, GATEWAY_PORT=8090 is that port
	@$(STACK) up

down: ## stop the stack
	@test ! -x $(BIN)/python || $(STACK) down

status: ## which parts run
	@if test -x $(BIN)/python; then $(STACK) status; else echo "the stack is not up (\`make up\` starts it)"; fi

restart: venv ## start a part again: PART=kafka
	@$(STACK) restart $(or $(PART),$(error which one? make restart PART=kafka))

token: venv ## a bearer token: TENANT=acme ROLE=admin (or a list: viewer,operator; without: viewer)
	@$(STACK) token "$(or $(TENANT),$(error whose? make token TENANT=acme ROLE=admin))" "$(or $(ROLE),viewer)"

device: venv ## register a device with a broker account: TENANT=acme DEVICE=d1 TYPE=gw2
	@$(STACK) device "$(or $(TENANT),$(error make device TENANT=acme DEVICE=d1 TYPE=gw2))" \
	  "$(or $(DEVICE),$(error make device TENANT=acme DEVICE=d1 TYPE=gw2))" \
	  "$(or $(TYPE),$(error make device TENANT=acme DEVICE=d1 TYPE=gw2))"

devices: venv ## the same for many, into a file for fleetsim: TENANT=acme TYPE=gw2 DEVICES='d[001-500]' (or a file of ids, one a line)
	@$(STACK) devices "$(or $(TENANT),$(error make devices TENANT=acme TYPE=gw2 DEVICES='d[001-500]'))" \
	  "$(or $(DEVICES),$(error make devices TENANT=acme TYPE=gw2 DEVICES='d[001-500]'))" \
	  "$(or $(TYPE),$(error make devices TENANT=acme TYPE=gw2 DEVICES='d[001-500]'))"

test: check prepare ## ruff, mypy, and every test, against real parts
	@$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 20

bench-console: venv prepare ## the console with a campaign of 1,000,000 devices, measured in a real browser (some minutes)
	@$(BIN)/python -m tests.browser.bench

models: venv ## the protocol's models, every state of them (some minutes); ONLY=life|control|pacing|merging|finish|offsets
	@$(BIN)/python -m tests.model "$(ONLY)"

test-k8s: venv ## apply.sh, roll-outs and drains with a real Kubernetes control plane (built with Go: minutes at first)
	@$(BIN)/pytest --timeout 2400 tests/k8s/check_cluster.py tests/k8s/check_drain.py

bench: venv ## speed against limits measured in the same run: PARTS=dispatcher,ingest RUNS=3 OUT=.run/bench
	@$(BIN)/python -m tests.bench

FAULT_KINDS := kill,stop,cut,slow,hole
chaos: venv prepare ## faults at random over running campaigns, then ten verdicts: FAULTS=50 SEED=7 DEVICES=4000 REPLICAS=2 KINDS=kill,stop,cut,slow,hole
	@$(BIN)/python -m tests.chaos --faults "$(or $(FAULTS),50)" --seed "$(or $(SEED),7)" --devices "$(or $(DEVICES),4000)" \
	  --replicas "$(or $(REPLICAS),2)" --kinds "$(or $(KINDS),$(FAULT_KINDS))" --results "$(or $(OUT),.run/chaos)"

soak: venv prepare ## campaigns one after the other for MINUTES=20: memory, file handles, lag and sizes must stay level
	@$(BIN)/python -m tests.soak --minutes "$(or $(MINUTES),20)" --devices "$(or $(DEVICES),4000)" \
	  --replicas "$(or $(REPLICAS),2)" --results "$(or $(OUT),.run/soak)"

images: ## a container image of each part: pulse-ota/catalog-svc:dev … ; TAG=1.4.0 for another tag
	@docker compose -f deploy/compose.yaml --profile development --profile simulator build

CONTAINERS := $(patsubst %,tests/containers/check_%.py,images stack page campaign upkeep operations)
test-containers: venv ## images, Compose and a campaign of 1,000 devices in real containers; as root it brings the engine
	@$(BIN)/pytest -v -s -x -o python_files='check_*.py' -o timeout=600 --durations=0 $(CONTAINERS)

clean: ## stop the stack; remove its state, the virtual environment, the built console and its packages
	@test ! -x $(BIN)/python || $(STACK) down
	@rm -rf .run .venv frontend/dist frontend/node_modules
