# make demo: the whole workflow on simulated heads; make test: the tests; make test-slurm: those on a real Slurm,
# those of faults and those of the published studies. Each first installs what it needs in .venv.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RUN := PATH="$(CURDIR)/$(BIN):$$PATH" NO_ET=1 $(BIN)/snakemake --cores all --keep-going --scheduler greedy
REPORT := results/demo/report.html

.PHONY: demo test test-slurm lint bench lock
.DELETE_ON_ERROR:

demo: $(INSTALLED)
	$(RUN) --quiet rules
	@$(MAKE) --no-print-directory $(REPORT)
	@echo "Report: $(CURDIR)/$(REPORT)"

$(REPORT): results/demo/report/about.html
	$(RUN) --report $@.unfinished.html
	mv $@.unfinished.html $@

test: $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest

# Slurm is one, so its tests run one after the other, beside the rest. They need root and the packages slurm-wlm and munge,
# else they are skipped.
test-slurm: $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" NO_ET=1 $(BIN)/pytest tests/slurm tests/faults tests/studies

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

bench: demo
	$(BIN)/python tests/bench/bench.py
	$(BIN)/python tests/bench/index_dataset.py
	$(BIN)/python tests/bench/joint_step.py
	$(BIN)/python tests/bench/adversarial_step.py
	$(BIN)/python tests/bench/adversarial_step.py --full results/bench/adversarial_step_full.tsv

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Counterwarp needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

# Solve the dependencies of pyproject.toml anew.
lock:
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet --disable-pip-version-check '.[dev]'
	$(VENV)-lock/bin/pip freeze --exclude counterwarp | sed 's/+cpu$$//' > requirements.lock
	rm -rf $(VENV)-lock
