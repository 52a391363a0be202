# Two commands on a fresh machine: `make demo` and `make test`. Each sets up .venv first; second runs start at once.
# Variables: PYTHON (3.11 or newer), CORES, BRANCHES ("all" or names of models), ARGS (passed on to snakemake or pytest).

PYTHON ?= python3
CORES ?= all
BRANCHES ?=
ARGS ?=
BIN := .venv/bin
READY := .venv/ready-$(shell cat requirements.txt requirements.lock | cksum | cut -d' ' -f1)

comma := ,
space := $(subst ,, )
ifeq ($(BRANCHES),all)
SELECT = --config "run={'branches': 'all'}"
else ifneq ($(BRANCHES),)
SELECT = --config "run={'branches': ['$(subst $(space),'$(comma)',$(strip $(BRANCHES)))']}"
endif

# When does pre-training overtake its untrained baseline? Under 90 minutes on two cores. MUSIC=DIR trains on a folder of yours
# too.
evidence: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --workflow-profile config/profiles/local --configfile config/miniature.yaml config/evidence.yaml \
	  --cores $(CORES) --set-threads pretrain=1 fit_kmeans=1 --quiet rules \
	  $(if $(MUSIC),--config "corpora={'miniature': {'more_roots': {'yours': '$(abspath $(MUSIC))'}}}") $(ARGS)
	@echo "report: $(CURDIR)/results/evidence/report/index.html"

.PHONY: demo evidence test lint setup clean help
.DEFAULT_GOAL := help

help:
	@sed -n '1,2s/^# //p' Makefile

setup: $(READY)

# pip may be interrupted anywhere: the stamp comes last, so the next call goes on where this one stopped.
$(READY): requirements.txt requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt --constraint requirements.lock
	@# torchaudio's compiled extension needs CUDA libraries. Beside a CPU-only torch it cannot load, which breaks the import
	@# of torchaudio and, because transformers imports torchaudio where it finds it, of every encoder. Nothing here uses it.
	@$(BIN)/python -c 'import torch, sys; sys.exit(torch.version.cuda is None)' || \
	  rm -f $(BIN)/../lib/python3*/site-packages/torchaudio/lib/*.so
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@rm -f .venv/ready-* && touch $@

# Small models gain more from training side by side than from threads of their own.
demo: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --workflow-profile config/profiles/local --configfile config/miniature.yaml --cores $(CORES) \
	  --set-threads pretrain=1 fit_kmeans=1 --quiet rules $(SELECT) $(ARGS)
	@echo "report: $(CURDIR)/results/miniature/report/index.html"

# Small tests side by side, a file each; then the whole runs, which take both cores themselves.
test: $(READY)
ifeq ($(ARGS),)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m slow
else
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest $(ARGS)
endif

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint --configfile config/miniature.yaml

clean:
	rm -rf results/miniature
