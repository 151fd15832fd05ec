# Every target makes .venv and installs into it when needed; when it is there, that costs nothing.
#
#   PYTHON=/path/to/python3.11   the interpreter .venv is made with (default: the first of 3.11 or newer found)
#   ARGS="tests/house -x"        what `make test` passes on to pytest; for `make demo`, to restorebench
#   JOBS=4                       test processes; each computes on one thread, which on two cores is quicker
#                                than one process on two threads, and gives the same bits on every machine

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install demo test test-browser test-services crash lint format bench coverage constraints clean

ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
endif
JOBS ?= 2
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# insightface asks for opencv-python and pyiqa for opencv-python-headless; both are one cv2 folder, and the last
# one installed wins.  The other one needs libGL, which servers do not have, so headless goes last.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer found; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Installing into .venv, about 4 minutes ..."; "$(PYTHON)" -m venv $(VENV); }
	@$(INSTALL) -e '.[dev]'
	@grep -qs 'headless = True' $(VENV)/lib/python3*/site-packages/cv2/version.py || \
		$(INSTALL) --force-reinstall --no-deps opencv-python-headless
	@touch $@

install: $(STAMP)  ## make .venv with everything in it (about 4 minutes, 7 GB with CUDA)

demo: $(STAMP)  ## restore and score the built-in faces; writes out/report/index.html
	$(BIN)/restorebench $(ARGS)

test: $(STAMP)  ## run the tests (not those that need a GPU, a browser or servers, or measure time)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

test-browser: $(STAMP)  ## drive the page in Chromium and compile the tables with pdflatex
	@tests/system.sh browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m browser -n $(JOBS) $(ARGS)

test-services: $(STAMP)  ## run on Ray, against PostgreSQL and against S3-compatible storage
	@tests/system.sh services
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m services $(ARGS)

crash: $(STAMP)  ## kill every stage thirty times (make test: three); the table of docs/reliability.md
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m crash -s $(ARGS)

lint: $(STAMP) .types/restorebench  ## check style, types and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=.types $(BIN)/mypy -p restorebench

format: $(STAMP)  ## format the code and mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## measure speed, memory and scaling beside other libraries, and every restorer (about an hour)
	$(BIN)/python -m pytest -m perf -s tests/perf $(ARGS)

coverage: $(STAMP)  ## measure how often intervals hold the truth: the table of docs/statistics.md
	OMP_NUM_THREADS=1 $(BIN)/python tests/plugins/simulations.py

constraints: $(STAMP)  ## pin in constraints.txt what .venv holds now
	@{ head -n 2 constraints.txt; $(BIN)/python -m pip freeze --all --exclude-editable | \
		grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' | grep -v '^pip=='; } > constraints.new
	@mv constraints.new constraints.txt

# mypy knows a package by the name of its folder, and a clone may have any name.
.types/restorebench:
	@mkdir -p .types && ln -sfn .. $@

clean:  ## remove .venv, builds and caches (keeps out/ and the weights)
	rm -rf $(VENV) .types build *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
