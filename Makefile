# Everything the project does by name. Each target sets up what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= figures/demo

.PHONY: demo figures test lint bench clean
.DEFAULT_GOAL := demo

# The virtual environment, with pinned packages; made once, and again only when
# the project's requirements change.
$(READY): setup.cfg pyproject.toml constraints.txt
	@echo "setting up $(VENV) (once; about a minute and 2 GB)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "redundancy needs Python 3.11 or newer; try make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY)  ## analyse the shipped vanilla and ASA networks
	@$(BIN)/analyze spike-features checkpoints/gait-vanilla.pt --out $(DEMO)/vanilla --overwrite
	@echo
	@$(BIN)/analyze spike-features checkpoints/gait-asa.pt --out $(DEMO)/asa --overwrite
	@echo
	@echo "figures:"
	@ls $(DEMO)/vanilla/*.png $(DEMO)/asa/*.png

figures: demo  ## remake the gallery shown in the README
	@mkdir -p figures/gallery
	@cp $(DEMO)/vanilla/figure_2_spike_features.png $(DEMO)/vanilla/event_frames.png \
		$(DEMO)/asa/figure_5_spike_features.png figures/gallery/

test: $(READY)  ## run every test
	@$(BIN)/python -m pytest -n 2

lint: $(READY)  ## style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY)  ## measure speed and memory as ratios
	@$(BIN)/python -m benchmarks

clean:  ## remove what make made
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis
