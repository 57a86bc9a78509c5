# Everything is installed below this directory, except QEMU and what else the distribution packages (see .ci/setup).
VENV := .venv
NODE := .node
QEMU := $(CURDIR)/.qemu/$(VERSION)
PATHS ?= scenarios/

.PHONY: run test test-fast lint check-types pytest run-qemu test-qemu audit-qemu fuzz fuzz-long fuzz-guided canary faults soak audit bench generated clean

run: $(VENV)/.runtime ## set everything up and run the scenarios
	@$(VENV)/bin/run-scenarios $(PATHS)

test: $(VENV)/.dev $(NODE)/node_modules/.installed ## set everything up and pass the tests
	@$(MAKE) --no-print-directory lint check-types pytest

test-fast: $(VENV)/.dev ## pass the tests that take less than three seconds each
	$(VENV)/bin/python -m pytest -q -n auto -m "not slow"

lint:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

check-types:
	$(VENV)/bin/mypy

pytest:
	$(VENV)/bin/python -m pytest -q -n auto

SECONDS ?= 3600
TARGET ?= a_file_by_the_grammar

fuzz: $(VENV)/.dev ## feed the checks, QMP and the report what nobody would write, for less than a minute
	$(VENV)/bin/python -m qa.fuzz 45

fuzz-long: $(VENV)/.dev ## the same for SECONDS
	$(VENV)/bin/python -m qa.fuzz $(SECONDS)

fuzz-guided: $(VENV)/.dev ## let coverage choose the inputs of TARGET, until it is stopped
	$(VENV)/bin/pip install --quiet --disable-pip-version-check 'atheris>=2.3'
	$(VENV)/bin/python -m qa.fuzz --guided $(TARGET)

canary: $(VENV)/.dev ## look for ways out of a case's directory: all of 100,000 refused, 2,000 let through and traced
	$(VENV)/bin/python -m qa.canary

faults: $(VENV)/.dev ## inject faults at the steps of PATHS, for SECONDS or until every one has been
	$(VENV)/bin/python -m qa.faults --seconds $(SECONDS) $(PATHS)

ROUNDS ?= 1000
LOAD ?= 4

soak: $(VENV)/.dev ## run every case of PATHS for ROUNDS, with LOAD processes waiting for each processor
	$(VENV)/bin/python -m qa.soak --rounds $(ROUNDS) --load $(LOAD) $(PATHS)

audit: $(VENV)/.dev ## break every assertion of PATHS once, and leave out every write
	$(VENV)/bin/run-scenarios --audit $(PATHS)

PARTS ?=

bench: $(VENV)/.dev ## what a run costs beside what cannot be avoided, as a table; PARTS: run start-up shipped files memory page
	@$(VENV)/bin/python -m qa.bench $(PARTS)

# The same with QEMU VERSION, which .ci/get-qemu puts in .qemu/VERSION: make run-qemu VERSION=11.1
run-qemu test-qemu audit-qemu: export PATH := $(QEMU)/bin:$(PATH)
run-qemu test-qemu audit-qemu: export QEMU_PROG = $(QEMU)/bin/qemu-system-x86_64
run-qemu test-qemu audit-qemu: export QEMU_IMG_PROG = $(QEMU)/bin/qemu-img
run-qemu test-qemu audit-qemu: export QEMU_IO_PROG = $(QEMU)/bin/qemu-io
run-qemu test-qemu audit-qemu: export QEMU_NBD_PROG = $(QEMU)/bin/qemu-nbd
run-qemu test-qemu audit-qemu: export QSD_PROG = $(QEMU)/bin/qemu-storage-daemon

run-qemu test-qemu audit-qemu:
	@.ci/get-qemu "$(VERSION)" "$(QEMU)" >&2
	@$(MAKE) --no-print-directory $(@:-qemu=)

generated: ## write what is generated from the code
	$(VENV)/bin/run-scenarios --print-schema > schema/scenario.schema.json
	$(VENV)/bin/run-scenarios --print-reference > docs/steps.md
	$(VENV)/bin/run-scenarios --print-rules > docs/lint.md

# Not editable: what runs is what a user installs. A change of the code installs it again.
$(VENV)/.runtime: pyproject.toml schema/scenario.schema.json $(shell find runner -type f -not -name '*.pyc')
	@.ci/setup qemu >&2
	@test -d $(VENV) || python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check . >&2
	@touch $@

$(VENV)/.dev: pyproject.toml
	.ci/setup qemu tests
	test -d $(VENV) || python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	rm -f $(VENV)/.runtime
	touch $@

$(NODE)/node_modules/.installed: Makefile
	npm install --silent --no-fund --no-audit --prefix $(NODE) tap-parser@18 yaml-language-server@1.25.0
	touch $@

clean:
	rm -rf $(VENV) $(NODE) .qemu build dist
