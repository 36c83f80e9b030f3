# Thin: every target is one script. `make help` lists them. NAME=… chooses another trial host than `trial`.
SHELL := /bin/bash
NAME ?= trial
.DEFAULT_GOAL := help
.PHONY: help up down dev test lint unit histories machine interrupt recover-drill faults chaos soak ssh logs status bench preview soak-page screenshots outside clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## boot a bare Debian trial host and deploy the appliance to it (again: changes nothing)
	@scripts/bootstrap.sh check
	@python3 scripts/up.py --name $(NAME) $(OPTIONS)

down: ## remove the trial host
	@python3 scripts/trial.py down --name $(NAME)

dev: ## .venv with everything pinned and the package itself (.venv/bin/recio)
	@scripts/bootstrap.sh dev

test: ## everything: lint, types, unit, property, integration, both hosts with molecule; one line at the end
	@scripts/bootstrap.sh machine
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

machine: ## only the molecule scenario on a virtual machine with its own kernel: limits under load, mounts, a reboot, a power cut
	@scripts/bootstrap.sh machine
	@.venv/bin/python scripts/check.py --only machine

interrupt: ## kill the deploy at random tasks of a bare host and of an upgrade, and continue (half an hour); SEED=… KILLS=…
	@scripts/bootstrap.sh dev
	@.venv/bin/python scripts/interrupt.py --kills $(or $(KILLS),10) $(if $(SEED),--seed $(SEED))

recover-drill: ## NAME=… is lost with its disk, SECOND=… (both deployed) comes back from the copy on another machine; prints RPO and RTO
	@RECIO_TRIAL=build/$(NAME).json RECIO_TRIAL_SECOND=build/$(SECOND).json .venv/bin/python -m pytest -v -s tests/host/test_recover_drill.py -p no:cacheprovider

faults: ## NAME=… suffers the whole fault matrix (about 20 minutes); docs/faults.md takes its figures with scripts/faults_doc.py --take
	@.venv/bin/python scripts/verify_host.py --name $(NAME) --only faults

chaos: ## faults at random, also several at once, then the comparison: SEED=… MINUTES=60
	@.venv/bin/python scripts/chaos.py --name $(NAME) --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

soak: ## NAME=… trades for HOURS=2; says what grows, what 30 days of it would be, and every false alarm
	@.venv/bin/python scripts/soak.py --name $(NAME) --hours $(or $(HOURS),2)

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

outside: ## tools that are not ours look at the trial host (TLS with its grade); --record in OPTIONS writes docs/outside.md
	@scripts/bootstrap.sh test
	@.venv/bin/python scripts/outside_look.py --name $(NAME) $(OPTIONS)

screenshots: ## pictures of every page and dialog into docs/screenshots; says what overlaps or is cut off
	@scripts/bootstrap.sh test
	@.venv/bin/python scripts/screenshots.py --trial build/$(NAME).json

clean: ## remove build/ (not the trial host) and .venv; the cache stays
	@rm -rf build/bootstrap build/release build/wheelhouse build/*.log .venv
