# Thin: every target is one script. `make help` lists them. NAME=… chooses another trial host than `trial`.
SHELL := /bin/bash
NAME ?= trial
.DEFAULT_GOAL := help
.PHONY: help up down dev test lint unit histories ssh logs status bench preview soak-page screenshots clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## boot a bare Debian trial host and deploy the appliance to it (again: changes nothing)
	@scripts/bootstrap.sh check
	@python3 scripts/up.py --name $(NAME) $(OPTIONS)

down: ## remove the trial host
	@python3 scripts/trial.py down --name $(NAME)

dev: ## .venv with everything pinned and the package itself (.venv/bin/recio)
	@scripts/bootstrap.sh dev

test: ## everything: lint, types, unit, property, integration, a whole host with molecule; one line at the end
	@scripts/bootstrap.sh test
	@.venv/bin/python scripts/check.py

lint: ## only the lint and type steps
	@scripts/bootstrap.sh dev
	@.venv/bin/python scripts/check.py --only lint

unit: ## only unit, property and integration tests
	@scripts/bootstrap.sh test
	@.venv/bin/python scripts/check.py --only pytest

histories: ## 10,000 random histories of the money path (about ten minutes); HISTORIES=… SEED=… for others
	@scripts/bootstrap.sh dev
	@RECIO_HISTORIES=$(or $(HISTORIES),10000) RECIO_SEED=$(or $(SEED),20261124) .venv/bin/python -m pytest -q -s tests/property/test_ledger_machine.py

ssh: ## a shell on the trial host
	@python3 scripts/trial.py ssh --name $(NAME)

logs: ## follow the services' journal on the trial host
	@python3 scripts/trial.py ssh --name $(NAME) journalctl --follow --lines=50 --unit=recio-\\*

preview: ## the page over real services without a host, for those who change it (Ctrl-C ends it)
	@scripts/bootstrap.sh test
	@.venv/bin/python scripts/preview.py

status: ## the trial hosts of this machine, and what their services say
	@python3 scripts/trial.py status
	@python3 scripts/trial.py ssh --name $(NAME) recio status

bench: ## measure: deploy seconds, memory, latencies, page sizes, as one table
	@scripts/bootstrap.sh dev
	@.venv/bin/python benchmarks/run.py --name $(NAME)

soak-page: ## leave the trade page open for MINUTES=15 and say whether its memory grows
	@scripts/bootstrap.sh test
	@.venv/bin/python scripts/soak_page.py --name $(NAME) --minutes $(or $(MINUTES),15)

screenshots: ## pictures of every page and dialog into docs/screenshots; says what overlaps or is cut off
	@scripts/bootstrap.sh test
	@.venv/bin/python scripts/screenshots.py --trial build/$(NAME).json

clean: ## remove build/ (not the trial host) and .venv; the cache stays
	@rm -rf build/bootstrap build/release build/wheelhouse build/*.log .venv
