# Two commands: `make demo` and `make test`. Both set up all they need in .venv; nothing is installed outside it but,
# for the browser tests and only as root on Debian, chromium.

unexport PYTHONDONTWRITEBYTECODE  # else every process that is started compiles all of the source again

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# Tests flush files tens of thousands of times: where memory has room for theirs, they lie there and not on the disk.
IN_MEMORY := $(shell [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null && echo TMPDIR=/dev/shm)

PAGE := explorer/node_modules/.ready

.PHONY: demo demo-stop test check lint types contracts pytest bench setup browser page explorer pictures clean

setup: $(READY)

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable ".[all]" --group dev
	touch $@

demo: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

demo-stop:
	@if [ -f demo/serve.pid ]; then kill "$$(cat demo/serve.pid)" 2>/dev/null; rm -f demo/serve.pid; fi

test: check

check:
	$(MAKE) --no-print-directory -j 2 setup browser page
	$(MAKE) --no-print-directory -j 2 types lint contracts
	$(MAKE) --no-print-directory pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

# Real corpora are read to their first part; `.venv/bin/python -m pytest --whole -m slow` reads them to their end.
pytest: $(READY) browser page
	$(IN_MEMORY) $(BIN)/python -m pytest -n 2 --dist worksteal

bench: $(READY)
	$(BIN)/sfumato bench

browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "no chromium here: the browser tests will be skipped"

page:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(PAGE) \
	  || echo "npm could not fetch what builds the page: that its build is current will not be tested"; \
	  else echo "no node here: that the page's build is current will not be tested"; fi

$(PAGE): explorer/package-lock.json
	cd explorer && npm ci --silent
	touch $@

explorer: $(READY) $(PAGE)
	$(BIN)/python explorer/openapi.py > explorer/openapi.json
	cd explorer && npm run --silent types && npm run --silent check && npm run --silent build

# The README's pictures, of the demo's data; the demo is made first if it is not there.
pictures: $(READY) browser
	@[ -d demo/data ] || $(MAKE) --no-print-directory demo
	$(BIN)/python explorer/screenshots.py demo/data docs/images

clean: demo-stop
	rm -rf .venv demo explorer/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
