# make run: the demo on http://127.0.0.1:8080 (PORT changes it). make test: the tests. make check: everything.
PORT ?= 8080
COVERAGE ?= 100
IMAGE ?= rr-all-cds
BENCH ?=
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin

FHIR_SERVER := build/fhir-server

.PHONY: run test check golden pictures bench bench-peers bench-instructions reliability faults fuzz fhir-server-test deploy-check wheel image image-steps lock sbom clean

run: .venv/.run
	$(BIN)/cds-service serve --mode demo --port $(PORT)

test: .venv/.dev
	$(BIN)/python -m pytest

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cds-service check
	SLOW=1 $(BIN)/python -m pytest --cov=cds_service --cov-branch --cov-fail-under=$(COVERAGE)

golden: .venv/.dev
	$(BIN)/python -m tests.golden

# The pictures of the README, of the page as it is.
pictures: .venv/.dev
	$(BIN)/python -m tests.browser.screenshots build/pictures
	cp $(addprefix build/pictures/,card.png card-narrow.png timeline.png changes.png) docs/pictures/

# What an answer costs, beside what others' cost: a report, nothing fails on it. BENCH=--quick for a look.
bench: .venv/.dev build/bench/.installed
	PYTHONPATH=build/bench $(BIN)/python -m bench $(BENCH)

# HealthChain, FastAPI and cql-execution, to be measured beside this service. Needs Node 20 with npm.
bench-peers: .venv/.dev
	PYTHON=$(BIN)/python sh bench/peers/install.sh

# The same in instructions instead of time, ours and orjson's alone. Needs valgrind; about ten minutes.
bench-instructions: .venv/.dev build/bench/.installed
	PYTHONPATH=build/bench $(BIN)/python -m bench.instructions

build/bench/.installed: bench/requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade --target build/bench -r bench/requirements.txt
	@touch $@

# Load and faults at full size; the figures belong into docs/reliability.md.
reliability: .venv/.dev
	$(BIN)/python -m tests.reliability

# The faults of the store: kills, a full disk, databases that go away, two processes on one PostgreSQL, a move.
faults: .venv/.dev
	$(BIN)/python -m tests.faults

fuzz: .venv/.dev
	$(BIN)/python -m tests.fuzz --runs 100000

# A FHIR R4 server from Maven Central holds the stories, and the service calls it back. Needs Java 17 and Maven.
fhir-server-test: .venv/.dev $(FHIR_SERVER)/classpath
	$(BIN)/python -m pytest tests/fhir_server/check_stories.py --durations=3

$(FHIR_SERVER)/classpath: $(wildcard tests/fhir_server/server/*)
	@command -v mvn >/dev/null || { echo "Java 17 and Maven are needed. On Debian or Ubuntu: sudo apt-get install openjdk-17-jdk-headless maven" >&2; exit 1; }
	mvn -B -q -f tests/fhir_server/server compile dependency:build-classpath -Dmdep.outputFile=$(CURDIR)/$@

# What deploy/ ships, read by the tools that will read it. Needs Go and the network once.
deploy-check:
	sh deploy/check.sh

wheel: .venv/.dev
	$(BIN)/python -m pip wheel -q --no-deps --wheel-dir dist .

image:
	docker build --tag $(IMAGE) .

# The same steps without Docker, into build/image.
image-steps: .venv/.dev
	rm -rf build/image
	PYTHON="$(CURDIR)/$(BIN)/python" sh docker/build.sh build/image/wheels
	PYTHON="$(CURDIR)/$(BIN)/python" sh docker/install.sh build/image/wheels build/image/venv

# Every package the service runs on, by version and hash; the image installs nothing else.
lock: .venv/.release
	$(BIN)/pip-compile -q --generate-hashes --strip-extras --allow-unsafe --no-emit-find-links --no-header \
		--extra postgres --output-file requirements.lock pyproject.toml

# The bill of materials (CycloneDX, with licences and dependencies) of what the image installs, into dist/.
sbom: .venv/.release image-steps
	mkdir -p dist
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON \
		--output-file dist/rr-all-cds.cdx.json build/image/venv/bin/python

clean:
	rm -rf .venv build dist .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp for each set of packages, renewed when pyproject.toml changes.
.venv/.run: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/.run

.venv/.release: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[release]'
	@touch $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found. Install it, or name it: make PYTHON=/path/to/python3 run" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "$(PYTHON) is older than Python 3.11 or does not run. Name another: make PYTHON=/path/to/python3 run" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment. On Debian or Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear .venv || { rm -rf .venv; exit 1; }
