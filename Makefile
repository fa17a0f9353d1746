# Everything made lies in .venv, .uv and _build.
#
# make needs Python 3.11 or newer and git. Where there is no uv it fetches its own into .uv;
# packages come at the versions of uv.lock. PYTHON=... chooses an interpreter, JOBS=... the number
# of test processes, UV_OFFLINE=1 forbids the network.

.DEFAULT_GOAL := help
.PHONY: help book test bench clean
.NOTPARALLEL:

JOBS ?= 2
NORMLIB := .venv/bin/python -m normlib.cli

# A uv on PATH may be a stub that cannot run, so it is asked for its version.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .uv/bin/uv)
ANY_PYTHON = $(shell for p in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
NO_PYTHON := error: no Python 3.11 or newer on PATH; install one, or name it: make PYTHON=/path/to/python3

# A venv whose folder was moved, or whose Python is gone, is set up again.
STALE := $(shell { [ "$$(cat .venv/.ready-book)" = "$$PWD" ] && .venv/bin/python -c ''; } 2>/dev/null \
	|| rm -f .venv/.ready-book .venv/.ready-test)

# --inexact: setting up for the book leaves what the tests installed. --locked: never re-resolves.
SYNC = $(UV) sync --locked --inexact --no-default-groups $(if $(PYTHON),--python $(PYTHON))

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

book: .venv/.ready-book ## set up, execute the chapters, build _build/html/index.html
	$(NORMLIB) book build

test: .venv/.ready-test ## set up, then lint, types, the book with its gate, and all tests
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy
	$(NORMLIB) book build
	@# One thread per process: JOBS processes with a thread per core each would fight for the cores.
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 .venv/bin/python -m pytest -q -n $(JOBS) --dist loadscope \
		--nbval-lax --nbval-current-env tests chapters

bench: .venv/.ready-test ## time layers and sweeps beside their peers, write _build/bench.json
	$(NORMLIB) bench

clean: ## remove what can be made again: _build, .venv, .uv and caches; records and data stay
	rm -rf _build .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The book is built without TensorFlow: its runs, and its side of the parity table, are records.
.venv/.ready-book: pyproject.toml uv.lock $(filter .uv/%,$(UV))
	$(SYNC) --group book
	@echo "$$PWD" >$@

# The tests recompute TensorFlow's side of the parity table and the benchmarks run its fit, so
# both want the group `peers`; other tests start a Dask cluster.
.venv/.ready-test: pyproject.toml uv.lock $(filter .uv/%,$(UV))
	$(SYNC) --group book --group test --group peers --group cluster
	@echo "$$PWD" | tee .venv/.ready-book >$@

.uv/bin/uv:
	@test -n '$(ANY_PYTHON)' || { echo '$(NO_PYTHON)' >&2; exit 1; }
	$(ANY_PYTHON) tools/get_uv.py
