# Every target sets up what it needs in .venv; the second time that is free.
# PYTHON=python3.12 chooses another interpreter, MINUTES=30 another training budget, CHECKPOINT=... another agent.

PYTHON ?= python3
MINUTES ?= 120
CHECKPOINT ?= assets/checkpoints/go9-small

VENV := .venv
PY := $(VENV)/bin/python
INSTALL := $(PY) -m pip install --disable-pip-version-check -c constraints.txt
PACKAGES := agents envs train ui benchmarks play.py

.DEFAULT_GOAL := help
.PHONY: help play test test-all train-go bench lint clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

play: $(VENV)/.warm ## set up on first use, then play Go against the agent
	@$(PY) play.py go --checkpoint $(CHECKPOINT)

test: $(VENV)/.dev ## the tests, but for the slow ones
	$(PY) -m pytest

test-all: $(VENV)/.dev ## all tests
	$(PY) -m pytest -m "slow or not slow"

train-go: $(VENV)/.installed ## train the Go agent (MINUTES=120); the same command goes on after Ctrl-C
	$(PY) -m train experiment=go9-small trainer.minutes=$(MINUTES)

bench: $(VENV)/.installed ## measure the Go agent on held-out positions
	$(PY) -m benchmarks.video_gobench $(CHECKPOINT)

lint: $(VENV)/.dev ## style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

clean: ## remove .venv and caches; runs/ and assets/ stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache build *.egg-info
	find agents envs train ui benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up, one stamp file a step

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' || { \
	  echo "Python 3.10 to 3.13 is needed, and $(PYTHON) is none; name one with PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(PY)
	@echo "Installing the libraries into $(VENV) (once; some minutes) ..."
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(PY)
	@echo "Installing the libraries and test tools into $(VENV) (once; some minutes) ..."
	@$(INSTALL) -e ".[dev]"
	@touch $(VENV)/.installed $@

# The rules of Go are compiled on first use, and the result is kept beside the sources.
$(VENV)/.warm: envs/go/kernels.py envs/go/renderer.py $(VENV)/.installed
	@echo "Compiling the rules of Go (once; under a minute) ..."
	@$(PY) -c 'from envs.go.renderer import BoardRenderer; from envs.go.rules import GoGame; \
	  game = GoGame(9); game.play(40); game.legal_mask(); game.area_score(); BoardRenderer().render_game(game)'
	@touch $@
