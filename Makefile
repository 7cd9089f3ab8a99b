# Few verbs, the same here and in CI. `make` alone lists them.
PY := .venv/bin/python

.PHONY: help setup run test check sim bench docs serve fast

help: ## list the verbs
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## create .venv with pinned, hash-checked dependencies
	@./setup.sh

run: setup ## show the whole job on real traffic; ends by itself
	@$(PY) -m qanat.lab.show

test: ## run all tests
	@./setup.sh test
	@PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n auto

check: setup ## ruff, mypy strict, import rules
	$(PY) -m ruff check . && $(PY) -m ruff format --check .
	$(PY) -m mypy
	PYTHONPATH=src .venv/bin/lint-imports --no-cache

sim: setup ## a deterministic world with faults: make sim SEED=20417
	@.venv/bin/qanat simulate $(if $(SEED),--seed $(SEED))
	@.venv/bin/qanat simulate --world exchange $(if $(SEED),--seed $(SEED))

bench: setup ## measure, with the method printed beside the figures
	@$(PY) -m qanat.bench.all

docs: setup ## write the generated pages of docs/
	@$(PY) -m qanat.console.reference

serve: setup ## a server on loopback, data in ./data
	@.venv/bin/qanat serve --data data

fast: ## compile what every request passes through, for busy servers; two minutes
	@./setup.sh fast
	@$(PY) contrib/pack/compiled.py build/compiled
